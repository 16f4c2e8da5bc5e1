"""Text of HTML and XML. The parser reports tags as they come, so that no depth is too deep."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lxml import etree

from app.knowledge.extraction import encodings
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.flow import Flow
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block

PIECE = 65_536
DECLARED = re.compile(
    rb"""<(?:meta\b[^>]*?charset|\?xml\b[^>]*?encoding)\s*=\s*["']?([\w.:-]+)""", re.I
)
DECLARED_WITHIN = 4_096
# lxml takes no declaration in text that is decoded.
XML_SEARCHED = 2_048
XML_START = re.compile(r"\s*<\?xml|[\s\S]*?<html[^>]*xmlns", re.I)
# Which HTML takes for the start of one that isn't closed.
EMPTY_TAG = re.compile(
    r"<((?!(?:area|base|br|col|embed|hr|img|input|link|meta)\b)[a-zA-Z][\w:.-]*)([^<>]*)/>"
)
XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")

UNREAD = frozenset(
    {"applet", "audio", "button", "canvas", "datalist", "iframe", "map", "math", "nav", "noembed"}
    | {"noframes", "noscript", "object", "option", "script", "select", "style", "svg", "template"}
    | {"textarea", "video"}
)
INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em"}
    | {"font", "i", "img", "input", "ins", "kbd", "label", "mark", "meter", "output", "progress"}
    | {"q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup"}
    | {"time", "tt", "u", "var", "wbr"}
)
# They have no end tag, so none closes them.
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param"}
    | {"source", "track", "wbr"}
)
OPENS: dict[str, Callable[[Flow], None]] = {
    "br": Flow.add_line_end,
    "li": Flow.open_item,
    "table": Flow.open_table,
    "td": Flow.open_cell,
    "th": Flow.open_cell,
    "tr": Flow.open_row,
    **dict.fromkeys(("dir", "menu", "ol", "ul"), Flow.open_list),
    **dict.fromkeys(("listing", "plaintext", "pre", "xmp"), Flow.open_code),
}
CLOSES: dict[str, Callable[[Flow], None]] = {
    "table": Flow.close_table,
    **dict.fromkeys(("dir", "menu", "ol", "ul"), Flow.close_list),
    **dict.fromkeys(("listing", "plaintext", "pre", "xmp"), Flow.close_code),
    # The next one begins where they end.
    **dict.fromkeys(("li", "td", "th", "tr"), Flow.pause),
}
HEADINGS = {f"h{level}": level for level in range(1, 7)}
HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)


def read(path: Path, _limits: Limits, facts: Facts) -> Iterator[Block]:
    data = path.read_bytes()
    declared = DECLARED.search(data[:DECLARED_WITHIN])
    text = encodings.decode(data, declared[1].decode() if declared else None)
    del data
    yield from of_text(text, facts)


def of_text(text: str, facts: Facts) -> Iterator[Block]:
    """The blocks of a text with tags; the title goes to `facts`."""
    builder = _Builder(facts)
    # C code ends at a NUL.
    text = text.replace("\0", "")
    if XML_START.match(text[:XML_SEARCHED]):
        text = EMPTY_TAG.sub(r"<\1\2></\1>", XML_DECLARATION.sub("", text, count=1))
    parser = etree.HTMLParser(target=builder, huge_tree=True, remove_comments=True, remove_pis=True)
    for at in range(0, len(text), PIECE):
        piece = text[at : at + PIECE]
        parser.feed(piece.encode("utf-16-le", "replace").decode("utf-16-le"))
        yield from builder.flow.take()
    if text:
        parser.close()
    builder.flow.end()
    yield from builder.flow.take()


class _Builder:
    """What the parser calls."""

    def __init__(self, facts: Facts) -> None:
        self.flow = Flow()
        self._facts = facts
        # The name of the tag whose content is passed over, and how many of its name are open in it.
        self._unread = ""
        self._unread_depth = 0
        self._title: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.lower()
        if self._unread:
            self._unread_depth += tag == self._unread
            return
        if tag not in VOID and (tag in UNREAD or _is_hidden(attributes)):
            self._unread, self._unread_depth = tag, 1
        elif tag == "title" and self._facts.title is None:
            self._title = []
        elif tag in OPENS:
            OPENS[tag](self.flow)
        elif tag not in INLINE:
            self.flow.open(HEADINGS.get(tag, 0))

    def end(self, tag: str) -> None:
        tag = tag.lower()
        if self._unread:
            self._unread_depth -= tag == self._unread
            if not self._unread_depth:
                self._unread = ""
        elif tag == "title" and self._title is not None:
            self._facts.title = "".join(self._title).strip() or None
            self._title = None
        elif tag in CLOSES:
            CLOSES[tag](self.flow)
        elif tag not in INLINE and tag not in VOID:
            self.flow.close()

    def data(self, text: str) -> None:
        if self._title is not None:
            self._title.append(text)
        elif not self._unread:
            self.flow.add(text)

    def close(self) -> None:
        """The parser wants it; there is no tree to hand back."""


def _is_hidden(attributes: dict[str, str]) -> bool:
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or bool(HIDDEN_STYLE.search(attributes.get("style", "")))
    )
