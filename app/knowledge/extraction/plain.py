"""Plain text: paragraphs between empty lines, headings where they are underlined or numbered."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.knowledge.extraction import clean, encodings, wrapping
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block

LONGEST_HEADING = 120
RULE = re.compile(r"\s*([=\-~^\"'*+#.:_`])\1{2,}\s*\Z")
# 第一章 and the like, as lines of their own.
CHINESE_HEADING = re.compile(
    r"\s*第\s*[0-9０-９一二三四五六七八九十百千零〇两]{1,6}\s*([编部篇卷章回节])"
    r"(?:[\s　:：、.].{0,40}|.{0,20})\Z"
)
CHINESE_LEVELS = {"编": 1, "部": 1, "篇": 1, "卷": 1, "章": 2, "回": 2, "节": 3}
SENTENCE_END = re.compile(r"[。！？；，.!?;,]\Z")
# NAME, SYNOPSIS, OPTIONS: the headings of manuals, above lines that stand further in.
CAPITALS = re.compile(r"[A-Z][A-Z0-9 /,&()-]{2,59}\Z")
ITEM = re.compile(r"\s*(?:[-*+•·]|\d{1,3}[.)]|[（(]?[一二三四五六七八九十]+[、)）])\s")
# A paragraph is wrapped if all of its lines but the last fill this share of the longest.
FILLED = 0.7
SHORTEST_WRAPPED = 20


def read(path: Path, limits: Limits, _facts: Facts) -> Iterator[Block]:
    # Cleaned first, so that no kind of line end and no overstrike hides a line.
    text = encodings.decode(path.read_bytes())
    limits.check_characters(len(text))
    text = clean.characters(text)
    levels: dict[str, int] = {}
    paragraph: list[str] = []
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].rstrip()
        start = end + 1
        if line:
            paragraph.append(line)
            continue
        yield from _blocks(paragraph, levels)
        paragraph = []
    yield from _blocks(paragraph, levels)


def _blocks(lines: Sequence[str], levels: dict[str, int]) -> Iterator[Block]:
    """
    Args:
        levels: of the signs that headings are underlined with, in the order of their appearance.
    """
    begin = at = 0
    while at < len(lines):
        taken, heading = _heading(lines, at, levels)
        if not taken:
            at += 1
            continue
        yield from _paragraph(lines[begin:at])
        if heading is not None:
            yield heading
        begin = at = at + taken
    yield from _paragraph(lines[begin:])


def _heading(lines: Sequence[str], at: int, levels: dict[str, int]) -> tuple[int, Block | None]:
    """How many lines it takes, and the heading; a ruled line takes one and is none."""
    line, after = lines[at], lines[at + 1] if at + 1 < len(lines) else ""
    if RULE.match(line):
        return 1, None
    text = line.strip()
    if len(text) > LONGEST_HEADING:
        return 0, None
    if (rule := RULE.match(after)) and _underlines(after, text):
        return 2, Block(text, "heading", levels.setdefault(rule[1], len(levels) + 1))
    chapter = CHINESE_HEADING.match(text)
    if chapter and not SENTENCE_END.search(text):
        return 1, Block(text, "heading", CHINESE_LEVELS[chapter[1]])
    if CAPITALS.match(line) and after.startswith(("  ", "\t")):
        return 1, Block(text, "heading", 1)
    return 0, None


def _underlines(rule: str, text: str) -> bool:
    # Han takes the width of two.
    width = sum(2 if wrapping.UNSPACED_START.match(one) else 1 for one in text)
    return width * 0.5 <= len(rule.strip()) <= width + 4


def _paragraph(lines: Sequence[str]) -> Iterator[Block]:
    if not lines:
        return
    indents = {len(line) - len(line.lstrip()) for line in lines}
    if ITEM.match(lines[0]) and all(ITEM.match(line) or line[0].isspace() for line in lines):
        yield Block("\n".join(_items(lines)), "list")
    elif min(indents) > 0 and len(indents) > 1:
        yield Block(textwrap.dedent("\n".join(lines)), "code")
    else:
        yield Block(wrapping.join(lines) if _is_wrapped(lines) else "\n".join(lines))


def _items(lines: Sequence[str]) -> Iterator[str]:
    """The items, each on a line."""
    item: list[str] = []
    for line in lines:
        if item and ITEM.match(line):
            yield wrapping.join(item)
            item = []
        item.append(line)
    yield wrapping.join(item)


def _is_wrapped(lines: Sequence[str]) -> bool:
    widths = [len(line.strip()) for line in lines]
    longest = max(widths)
    return longest >= SHORTEST_WRAPPED and min(widths[:-1], default=0) >= FILLED * longest
