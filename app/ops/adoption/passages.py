"""The text of a document, put together from the passages that it was cut into."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BLANK_LINE = "\n\n"
# So much at the end of one passage and the start of the next is no accident.
LEAST_OVERLAP = 20
MOST_OVERLAP = 2_000
# How far back a passage is looked for that may be there already.
TAIL = 50_000


@dataclass(frozen=True)
class Passage:
    """A piece of a text. Its place, in characters, is None where nobody knows it."""

    id: int
    index: int | None
    text: str
    start: int | None
    end: int | None


def put_together(passages: Iterable[Passage]) -> str:
    """All that the passages say, in their order, and what two of them say of one place once.

    A place counts when the text that is there bears it out; what two passages share although
    their places don't say so is written twice sooner than lost.
    """
    written: list[str] = []
    tail = ""
    # Where what was written last ends in the old text.
    end: int | None = None
    for one in _ordered(passages):
        new = _new(tail, end, one) if written else one.text
        written.append(new)
        tail = (tail + new)[-TAIL:]
        end = one.end if end is None or one.end is None else max(end, one.end)
    return "".join(written).strip()


def _ordered(passages: Iterable[Passage]) -> Sequence[Passage]:
    def place(one: Passage) -> tuple[bool, int, bool, int, int]:
        return (one.index is None, one.index or 0, one.start is None, one.start or 0, one.id)

    return sorted((one for one in passages if one.text.strip()), key=place)


def _new(tail: str, end: int | None, one: Passage) -> str:
    """What a passage adds to a text that ends so."""
    if end is None or one.start is None:
        return _unshared(tail, one.text, LEAST_OVERLAP, MOST_OVERLAP)
    if one.start == end:
        return one.text
    if one.start > end:
        # One character was a blank or the end of a line.
        return BLANK_LINE[: one.start - end] + one.text
    shared = end - one.start
    if one.end is not None and one.end <= end and one.text in tail[-shared:]:
        return ""
    if shared <= len(one.text) and tail.endswith(one.text[:shared]):
        return one.text[shared:]
    # White space that was cut off at the ends has moved the places.
    return _unshared(tail, one.text, min(LEAST_OVERLAP, shared), min(MOST_OVERLAP, shared))


def _unshared(tail: str, text: str, least: int, most: int) -> str:
    """Without the start that is the end of what was written, if it is so long."""
    for length in range(min(len(tail), len(text), most), least - 1, -1):
        if tail.endswith(text[:length]):
            return text[length:]
    return BLANK_LINE + text
