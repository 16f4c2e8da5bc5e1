"""The part of a chunk that shows why it was found."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from app import keywords, words
from app.knowledge import graphemes, sentences

# A snippet that is longer than this part of what it may be ends with a sentence if it can.
LONG_ENOUGH = 0.6

Span = tuple[int, int]


@dataclass(frozen=True)
class Snippet:
    """`text == content[start:start + len(text)]`."""

    text: str
    start: int
    # From and to, in the snippet's text: in their order, with something between two.
    highlights: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    term: str


def snippet(content: str, query: str, *, length: int = 240) -> Snippet:
    """The window with the most different terms of the query, of `length` characters at most.

    Without any of them it is the beginning.
    """
    matches = [*_matches(content, frozenset(keywords.of_query(query)))]
    first, last = _window(matches, length)
    start = _start(content, first, last, length)
    end = _end(content, start, last, length)
    text = content[start:end]
    start += len(text) - len(text.lstrip())
    text = text.strip()
    inside = (one for one in matches if start <= one.start and one.end <= start + len(text))
    return Snippet(text, start, tuple(_merged(inside, start)))


def _matches(content: str, terms: frozenset[str]) -> Iterator[_Match]:
    folded, origins = _folded(content)
    for unspaced, start, end in words.spans(folded):
        if not unspaced:
            term = keywords.stem(folded[start : min(end, start + words.LONGEST)])
            if term in terms:
                yield _Match(origins[start][0], origins[end - 1][1], term)
            continue
        for at in range(start, end):
            for stop in (at + 1, min(at + 2, end)):
                if folded[at:stop] in terms:
                    yield _Match(origins[at][0], origins[stop - 1][1], folded[at:stop])


def _folded(content: str) -> tuple[str, list[Span]]:
    """The text as terms are made of it, and where each of its characters comes from."""
    folded: list[str] = []
    origins: list[Span] = []
    start = 0
    while start < len(content):
        end = graphemes.boundary_after(content, start + 1)
        characters = _fold(content[start:end])
        folded.append(characters)
        origins += [(start, end)] * len(characters)
        start = end
    return "".join(folded), origins


@lru_cache(maxsize=65_536)
def _fold(character: str) -> str:
    return words.fold(character)


def _window(matches: list[_Match], length: int) -> Span:
    """The shortest span, within the length, with the most different terms."""
    best = (0, 0)
    found: Span = (0, 0)
    seen: Counter[str] = Counter()
    left = 0
    short = [one for one in matches if one.end - one.start <= length]
    for match in short:
        seen[match.term] += 1
        while match.end - short[left].start > length or seen[short[left].term] > 1:
            seen[short[left].term] -= 1
            if not seen[short[left].term]:
                del seen[short[left].term]
            left += 1
        start = short[left].start
        score = (len(seen), start - match.end)
        if not best[0] or score > best:
            best, found = score, (start, match.end)
    return found


def _start(content: str, first: int, last: int, length: int) -> int:
    """Where a sentence begins, else a word: near the first match, but not too near the end."""
    floor = max(0, last - length)
    wanted = min(first, max(floor, len(content) - length))
    begins = [at for at in _ends(content, floor, first) if at <= first]
    if floor == 0:
        begins.insert(0, 0)
    before = [at for at in begins if at <= wanted]
    if begins:
        return before[-1] if before else begins[0]
    middle = (floor + wanted) // 2
    return next(at for at in range(middle, first + 1) if at == first or _is_gap(content, at))


def _end(content: str, start: int, last: int, length: int) -> int:
    limit = start + length
    if limit >= len(content):
        return len(content)
    least = max(last, start + int(length * LONG_ENOUGH))
    ends = [at for at in _ends(content, least, limit + 1) if at <= limit]
    if ends:
        return ends[-1]
    for at in range(limit, least - 1, -1):
        if _is_gap(content, at):
            return at
    end = graphemes.boundary_before(content, limit, max(start, last))
    if end <= limit:
        return end
    return last if last > start else limit


def _ends(content: str, start: int, end: int) -> Iterator[int]:
    found = {*chain(sentences.sentences(content, start, end), sentences.lines(content, start, end))}
    return (at for at in sorted(found) if graphemes.is_boundary(content, at))


def _is_gap(content: str, at: int) -> bool:
    """Whether no word goes on here."""
    if not graphemes.is_boundary(content, at):
        return False
    return not (0 < at < len(content) and _is_word(content[at - 1]) and _is_word(content[at]))


def _is_word(character: str) -> bool:
    return character.isalnum() and not words.UNSPACED.match(character)


def _merged(matches: Iterator[_Match], start: int) -> Iterator[Span]:
    """What touches or overlaps is one."""
    current: Span | None = None
    for match in matches:
        span = (match.start - start, match.end - start)
        if current and span[0] <= current[1]:
            current = (current[0], max(current[1], span[1]))
            continue
        if current:
            yield current
        current = span
    if current:
        yield current
