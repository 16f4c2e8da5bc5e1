"""Paragraphs and headings of lines that stand on pages."""

import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.knowledge.extraction import wrapping
from app.knowledge.extraction.outlines import Entry
from app.knowledge.texts import Block


@dataclass(frozen=True)
class Line:
    """A line with its box, in points from the lower left."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float


# At the top and at the bottom of a page, so many lines may be those of every page.
MARGIN_LINES = 2
REPEATED_PAGES = 3
REPEATED_SHARE = 0.4
DIGITS = re.compile(r"\d+|(?<![^\W\d_])[ivxlc]+(?![^\W\d_])", re.I)
# A page's number alone, in the ways that are usual.
PAGE_NUMBER = re.compile(
    r"[-–—·|\s]*(?:page|seite|第)?\s*\d{1,5}\s*(?:页|頁)?\s*(?:(?:/|of|von|共)\s*\d{1,5}\s*(?:页|頁)?)?[-–—·|\s]*",
    re.I,
)
# Of a heading, against the text's own size.
LARGER = 1.15
LONGEST_HEADING = 150
MOST_HEADING_LINES = 3
HEADING_LEVELS = 4
# Of the distance between lines, against the usual one.
APART = 1.35
INDENT = 1.0
# A line that ends so far before the right edge, in sizes of its letters, ends a paragraph.
SHORT = 4.0
BULLET = re.compile(
    r"[•◦▪‣●○■□◆◇※]\s*\S|[–—*-]\s+\S|\(?\d{1,3}[.)]\s+\S|[（(]?[一二三四五六七八九十]+[、)）]"
)
SENTENCE_END = re.compile(r"[.!?:。！？：][\"'”’」』)）]*\Z")
NOT_WORD = re.compile(r"[\W_]+")


def blocks(pages: Sequence[Sequence[Line]], outline: Sequence[Entry]) -> Iterator[Block]:
    """The blocks of all pages in their order."""
    pages = _without_margins(pages)
    sizes = _heading_sizes(pages)
    titles: dict[int, dict[str, int]] = defaultdict(dict)
    for entry in outline:
        titles[entry.page].setdefault(_bare(entry.title), entry.level)
    for at, lines in enumerate(pages):
        yield from _lists(_page(lines, at + 1, titles.get(at, {}), sizes))


def _without_margins(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Without what stands at the top or bottom of many pages, and without their numbers."""
    seen = Counter(key for lines in pages for key in {_key(line) for line in _margins(lines)})
    needed = max(REPEATED_PAGES, REPEATED_SHARE * len(pages))
    # Left and right pages have headers of their own, and so have chapters.
    repeated = {key for key, count in seen.items() if count >= min(needed, 8)}
    kept = []
    for lines in pages:
        margins = {
            id(line)
            for line in _margins(lines)
            if _key(line) in repeated or (len(lines) > 1 and PAGE_NUMBER.fullmatch(line.text))
        }
        kept.append([line for line in lines if id(line) not in margins])
    return kept


def _margins(lines: Sequence[Line]) -> list[Line]:
    by_height = sorted(lines, key=lambda line: line.bottom)
    return by_height[:MARGIN_LINES] + by_height[MARGIN_LINES:][-MARGIN_LINES:]


def _key(line: Line) -> tuple[str, int]:
    return DIGITS.sub("#", line.text), round(line.bottom / 4)


def _heading_sizes(pages: Sequence[Sequence[Line]]) -> dict[float, int]:
    """The level for each size of letters that is clearly larger than the usual one."""
    sizes: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            sizes[_rounded(line.size)] += len(line.text)
    if not sizes:
        return {}
    usual = sizes.most_common(1)[0][0]
    larger = sorted((size for size in sizes if size >= usual * LARGER), reverse=True)
    return {size: min(level, HEADING_LEVELS) for level, size in enumerate(larger, 1)}


def _page(
    lines: Sequence[Line], page: int, titles: dict[str, int], sizes: dict[float, int]
) -> Iterator[Block]:
    pitch = _pitch(lines)
    right = max((line.right for line in lines), default=0.0)
    at = 0
    while at < len(lines):
        taken, level = _heading(lines, at, titles, sizes)
        end = at + taken
        if not taken:
            end = at + 1
            while end < len(lines) and not (
                _begins_paragraph(lines[end - 1], lines[end], pitch, right)
                or _heading(lines, end, titles, sizes)[0]
            ):
                end += 1
        text = wrapping.join([line.text for line in lines[at:end]])
        yield Block(text, "heading" if level else "paragraph", level, page)
        at = end


def _lists(found: Iterator[Block]) -> Iterator[Block]:
    """Items that follow each other are a list."""
    items: list[Block] = []
    for block in found:
        if block.kind == "paragraph" and BULLET.match(block.text):
            items.append(block)
            continue
        yield from _list(items)
        items = []
        yield block
    yield from _list(items)


def _list(items: Sequence[Block]) -> Iterator[Block]:
    if items:
        yield Block("\n".join(item.text for item in items), "list", page=items[0].page)


def _heading(
    lines: Sequence[Line], at: int, titles: dict[str, int], sizes: dict[float, int]
) -> tuple[int, int]:
    """How many lines it takes, and its level; zeros if none begins here."""
    bare = ""
    for taken in range(1, MOST_HEADING_LINES + 1 if titles else 1):
        if at + taken > len(lines):
            break
        bare += _bare(lines[at + taken - 1].text)
        if bare in titles:
            return taken, titles[bare]
    size = _rounded(lines[at].size)
    if size not in sizes:
        return 0, 0
    taken = 1
    while at + taken < len(lines) and _rounded(lines[at + taken].size) == size:
        taken += 1
    length = sum(len(line.text) for line in lines[at : at + taken])
    if taken > MOST_HEADING_LINES or length > LONGEST_HEADING or not _has_letter(lines[at].text):
        return 0, 0
    return taken, sizes[size]


def _begins_paragraph(before: Line, line: Line, pitch: float, right: float) -> bool:
    size = max(line.size, 1.0)
    if _rounded(before.size) != _rounded(line.size) or BULLET.match(line.text):
        return True
    step = before.bottom - line.bottom
    # Up again is the next column, where a paragraph goes on unless it ended.
    if step < 0:
        return bool(SENTENCE_END.search(before.text))
    if step > pitch * APART:
        return True
    # The lines of an item stand further in than its sign.
    if line.left - before.left > INDENT * size and not BULLET.match(before.text):
        return True
    return bool(SENTENCE_END.search(before.text)) and right - before.right > SHORT * size


def _pitch(lines: Sequence[Line]) -> float:
    """The usual distance from a line to the next."""
    steps = [
        step
        for before, line in itertools.pairwise(lines)
        if 0 < (step := before.bottom - line.bottom) < 5 * max(line.size, 1.0)
    ]
    return statistics.median_low(steps) if steps else 0.0


def _rounded(size: float) -> float:
    return round(size * 2) / 2


def _bare(text: str) -> str:
    return NOT_WORD.sub("", text).casefold()


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
