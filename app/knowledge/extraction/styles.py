"""What the styles of a DOCX say of its paragraphs."""

import re
from typing import Any

from app.knowledge.extraction import markup

# Word keeps the English name whatever its language; other programs write their own.
HEADING = re.compile(r"(?:heading|标题|標題|überschrift|titre|título)\s*([1-9])", re.I)
TITLE = {"title", "标题", "標題", "titel", "titre"}
LISTS = re.compile(r"list\b|列表|列出段落.+", re.I)
LOWEST_LEVEL = 9
# Of styles that are based on each other.
LONGEST_CHAIN = 20


class Styles:
    def __init__(self, element: Any) -> None:
        self._styles = {
            markup.attribute(style, "styleId"): style
            for style in element
            if markup.name(style) == "style"
        }
        self._levels: dict[str, int] = {}

    def heading_level(self, paragraph: Any) -> int:
        """1 is the highest; 0 is no heading."""
        properties = markup.child(paragraph, "pPr")
        if properties is None:
            return 0
        own = _outline_level(properties)
        if own is not None:
            return own
        style = _value(properties, "pStyle")
        if style is None:
            return 0
        if style not in self._levels:
            self._levels[style] = self._level_of(style)
        return self._levels[style]

    def list_depth(self, paragraph: Any) -> int | None:
        """From 0; None if it is no item of a list."""
        properties = markup.child(paragraph, "pPr")
        if properties is None:
            return None
        numbering = markup.child(properties, "numPr")
        if numbering is not None:
            if _value(numbering, "numId") == "0":
                return None
            depth = _value(numbering, "ilvl") or "0"
            return int(depth) if depth.isdecimal() else 0
        for style in self._chain(_value(properties, "pStyle")):
            if markup.child(style, "pPr", "numPr") is not None or (
                LISTS.match(_value(style, "name") or "")
            ):
                return 0
        return None

    def _level_of(self, style_id: str) -> int:
        for style in self._chain(style_id):
            name = (_value(style, "name") or "").strip().lower()
            heading = HEADING.fullmatch(name)
            if heading:
                return int(heading[1])
            if name in TITLE:
                return 1
            properties = markup.child(style, "pPr")
            level = _outline_level(properties) if properties is not None else None
            if level is not None:
                return level
        return 0

    def _chain(self, style_id: str | None) -> list[Any]:
        """The style and those it is based on."""
        found: list[Any] = []
        while style_id in self._styles and len(found) < LONGEST_CHAIN:
            found.append(self._styles[style_id])
            style_id = _value(found[-1], "basedOn")
        return found


def _outline_level(properties: Any) -> int | None:
    value = _value(properties, "outlineLvl")
    if value is None or not value.isdecimal():
        return None
    # 9 is the level of text that is no heading.
    level = int(value) + 1
    return level if level <= LOWEST_LEVEL else 0


def _value(element: Any, name: str) -> str | None:
    found = markup.child(element, name)
    return None if found is None else markup.attribute(found, "val")
