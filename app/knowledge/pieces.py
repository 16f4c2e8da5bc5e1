"""Takes a text apart into pieces that are never divided: sentences, where they aren't too long."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.knowledge import graphemes, sentences
from app.knowledge.sentences import Ends
from app.knowledge.texts import Kind

# How many tokens a text has. What it says of nothing is what a model puts around every text.
CountTokens = Callable[[str], int]

# From the largest unit to the smallest; what is too long still is cut between characters.
PROSE: tuple[Ends, ...] = (sentences.sentences, sentences.clauses, sentences.spaces)
LINES: tuple[Ends, ...] = (sentences.lines, *PROSE)
UNITS: dict[Kind, tuple[Ends, ...]] = {
    "code": LINES,
    "heading": PROSE,
    "list": LINES,
    "paragraph": PROSE,
    "table": LINES,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """From `start` to `end` of the text, without the white space around it."""

    start: int
    end: int
    # Without those that a model puts around every text.
    tokens: int
    # 1 is the largest unit: how well the text can be cut in front of this.
    rank: int


class Splitter:
    """Counts the tokens of each unit once, of those that it must take apart again."""

    def __init__(self, text: str, count_tokens: CountTokens, most_tokens: int) -> None:
        """`most_tokens` are those of a piece; only a single character may have more."""
        self._text = text
        self._count = count_tokens
        self._around = count_tokens("")
        self._most = most_tokens
        # One piece holds about as many characters as tokens, or more.
        self._width = max(1, most_tokens // 4)

    def split(self, start: int, end: int, kind: Kind) -> Iterator[Piece]:
        return self._units(start, end, UNITS[kind], 1)

    def _units(self, start: int, end: int, units: tuple[Ends, ...], rank: int) -> Iterator[Piece]:
        for stop in self._ends(start, end, units):
            yield from self._fitting(start, stop, units[1:], rank)
            start = stop
        yield from self._fitting(start, end, units[1:], rank)

    def _ends(self, start: int, end: int, units: tuple[Ends, ...]) -> Iterator[int]:
        if not units:
            return self._cuts(start, end)
        # A sign may have a mark of its own.
        ends = units[0](self._text, start, end)
        return (stop for stop in ends if graphemes.is_boundary(self._text, stop))

    def _fitting(self, start: int, end: int, units: tuple[Ends, ...], rank: int) -> Iterator[Piece]:
        """The part between two ends, taken apart as far as it must be."""
        part = self._text[start:end]
        start += len(part) - len(part.lstrip())
        part = part.strip()
        if not part:
            return
        end = start + len(part)
        tokens = self._count(part) - self._around
        if tokens <= self._most or graphemes.boundary_after(self._text, start + 1) >= end:
            yield Piece(start, end, max(1, tokens), rank)
        else:
            yield from self._units(start, end, units, rank + 1)

    def _cuts(self, start: int, end: int) -> Iterator[int]:
        """Between characters, in halves at least: so that this ends."""
        width = max(1, min(self._width, (end - start) // 2))
        while end - start > width:
            start = graphemes.boundary_before(self._text, start + width, start)
            if start < end:
                yield start
