"""A document's sections: headings, and what stands below them until the next heading."""

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.knowledge import graphemes
from app.knowledge.pieces import CountTokens, Piece, Splitter
from app.knowledge.texts import Block, Extracted

MOST_HEADINGS = 4
LONGEST_HEADING = 120
# Of the most tokens, kept for what a count of the parts may lack.
RESERVE = 50


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a block, with what a chunk says of its first one."""

    start: int
    end: int
    tokens: int
    # 0 begins a block; the higher, the worse to cut in front of it.
    rank: int
    # Made of the text alone.
    mark: int
    # A heading, which the next part must follow.
    glued: bool
    page: int | None
    headings: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """Its parts are to be read before the next section."""

    # Of its heading; 0 without one.
    level: int
    parts: Iterator[Part]


@dataclass(frozen=True)
class _Placed:
    block: Block
    start: int
    headings: tuple[str, ...]


def document_text(extracted: Extracted) -> str:
    return "\n\n".join(block.text for block in extracted.blocks)


def read(
    extracted: Extracted, text: str, count_tokens: CountTokens, target: int, most: int
) -> Iterator[Section]:
    """The sections in their order.

    Headings that follow each other begin one section. As many of the last as fit into half of the
    target stay with what follows; a part fits below them into `most`.
    """
    splitter = Splitter(text, count_tokens, max(1, most - target // 2 - most // RESERVE))
    placed = _placed(extracted.blocks)
    ahead = next(placed, None)
    while ahead is not None:
        level = ahead.block.level if _is_heading(ahead) else 0
        headings: list[list[Part]] = []
        while ahead is not None and _is_heading(ahead):
            headings.append([*_parts(ahead, text, splitter)])
            ahead = next(placed, None)
        body: list[_Placed] = []
        while ahead is not None and not _is_heading(ahead):
            body.append(ahead)
            ahead = next(placed, None)
        below = itertools.chain.from_iterable(_parts(one, text, splitter) for one in body)
        yield Section(level, itertools.chain(_glued(headings, target // 2), below))


def _is_heading(placed: _Placed) -> bool:
    return placed.block.kind == "heading"


def _placed(blocks: tuple[Block, ...]) -> Iterator[_Placed]:
    """Each block that has a text, where it begins, and the headings above it."""
    outline: list[tuple[int, str]] = []
    path: tuple[str, ...] = ()
    start = 0
    for block in blocks:
        if block.text.strip():
            if block.kind == "heading":
                outline = [one for one in outline if one[0] < block.level]
                path = _path(outline)
            yield _Placed(block, start, path)
            if block.kind == "heading":
                outline.append((block.level, " ".join(block.text.split())))
                path = _path(outline)
        start += len(block.text) + 2


def _path(outline: list[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(
        graphemes.shortened(title, LONGEST_HEADING) for _, title in outline[-MOST_HEADINGS:]
    )


def _parts(placed: _Placed, text: str, splitter: Splitter) -> Iterator[Part]:
    block = placed.block
    pieces = splitter.split(placed.start, placed.start + len(block.text), block.kind)
    for at, piece in enumerate(pieces):
        yield Part(
            piece.start,
            piece.end,
            piece.tokens,
            rank=piece.rank if at else 0,
            mark=_mark(text, piece),
            glued=False,
            page=block.page,
            headings=placed.headings,
        )


def _mark(text: str, piece: Piece) -> int:
    return zlib.crc32(text[piece.start : piece.end].encode(errors="surrogatepass"))


def _glued(headings: list[list[Part]], room: int) -> Iterator[Part]:
    glued = len(headings)
    while glued:
        room -= sum(part.tokens for part in headings[glued - 1])
        if room < 0:
            break
        glued -= 1
    yield from itertools.chain.from_iterable(headings[:glued])
    for part in itertools.chain.from_iterable(headings[glued:]):
        yield replace(part, glued=True)
