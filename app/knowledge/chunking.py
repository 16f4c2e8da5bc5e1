"""Takes a document's text apart into chunks, each of which is embedded and found by itself.

A chunk is made of whole sentences where it can be, of one section, and of about as many tokens as
the others. Where a section is cut follows from what stands there and not from what went before: an
insertion moves the cuts near it, and the rest of the chunks and their embeddings stay.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.knowledge import graphemes, sections
from app.knowledge.pieces import CountTokens
from app.knowledge.sections import Part, Section
from app.knowledge.texts import ChunkText, Embeddable, Extracted

# A cut in front of a block may be made in the second half of a chunk, another one near its end.
FULL_ENOUGH = {0: 0.5}
NEARLY_FULL = 0.75
# Of the target: a rest below it joins the chunk before it, and small sections join each other.
SMALL = 0.25
# Of so many small sections that follow each other one begins a chunk in any case: the others can't
# move far, however many there are.
RUN = 4
# A chunk of n tokens has so many times n characters at most: a model may count a thousand blanks as
# one token, and neither a snippet nor an embedder wants a chunk of a megabyte.
CHARACTERS_OF_TOKEN = 8
# Of the embedded text, with the model's own: it reads 512.
MOST_EMBEDDED = 500


@dataclass(frozen=True)
class _Limits:
    target: int
    most: int


def chunk(
    extracted: Extracted,
    count_tokens: CountTokens,
    *,
    target_tokens: int = 220,
    most_tokens: int = 400,
) -> Iterator[ChunkText]:
    """The chunks in their order, one after the other: a text may be large.

    Only a single character that has more tokens makes a chunk of more than `most_tokens`.
    `count_tokens` counts each sentence once and each chunk once.
    """
    # What a model puts around every text counts once in a chunk.
    most = most_tokens - count_tokens("")
    limits = _Limits(min(target_tokens, most), most)
    text = sections.document_text(extracted)

    def count(part: str) -> int:
        return max(count_tokens(part), -(-len(part) // CHARACTERS_OF_TOKEN))

    found = sections.read(extracted, text, count, limits.target, limits.most)
    ordinal = 0
    for parts in _joined(found, limits):
        for made in _checked(text, parts, count, most_tokens):
            yield replace(made, ordinal=ordinal)
            ordinal += 1


def embedding_text(title: str, chunk: Embeddable, *, most_tokens: int = MOST_EMBEDDED) -> str:
    """What is embedded: a chunk says more with the headings above it, or the document's title.

    They take the room that the chunk leaves; a character has a token at most, nearly always.
    """
    context = " > ".join(chunk.headings) or " ".join(title.split())
    room = most_tokens - chunk.tokens
    while len(context) > room and " > " in context:
        # The nearest says the most.
        context = context.partition(" > ")[2]
    context = graphemes.shortened(context, room)
    if not context or chunk.content.startswith(context):
        return chunk.content
    return f"{context}\n{chunk.content}"


def _joined(found: Iterator[Section], limits: _Limits) -> Iterator[list[Part]]:
    """The parts of each chunk; small sections beside each other are one."""
    held: list[Part] = []
    level = 0
    for section in found:
        packed = _packed(section.parts, limits)
        parts = next(packed)
        rest = next(packed, None)
        small = rest is None and section.level > 0 and _size(parts) <= limits.target * SMALL
        if held and not (small and level == section.level and _joins(held, parts, limits.target)):
            yield held
            held = []
        if small:
            held += parts
            level = section.level
            continue
        yield parts
        if rest is not None:
            yield rest
        yield from packed
    if held:
        yield held


def _joins(held: list[Part], parts: list[Part], target: int) -> bool:
    return parts[0].mark % RUN != 0 and _size(held) + _size(parts) <= target


def _packed(parts: Iterator[Part], limits: _Limits) -> Iterator[list[Part]]:
    """A section's chunks. What is left over at its end joins the last of them."""
    last: list[Part] = []
    open_: list[Part] = []
    size = 0
    for part in parts:
        open_.append(part)
        size += part.tokens
        while size > limits.target and (at := _cut(open_, limits.target)):
            if last:
                yield last
            last, open_ = open_[:at], open_[at:]
            size = _size(open_)
    if last and size <= limits.target * SMALL and _size(last) + size <= limits.most:
        last += open_
        open_ = []
    yield from filter(None, (last, open_))


def _cut(parts: list[Part], target: int) -> int:
    """Behind how many of the parts to cut; 0 while there is no place."""
    best = (9, 0, 0)
    fits = first = size = 0
    for at in range(1, len(parts)):
        size += parts[at - 1].tokens
        if parts[at - 1].glued:
            continue
        first = first or at
        if size > target:
            break
        fits = at
        rank = parts[at].rank
        if size >= target * FULL_ENOUGH.get(rank, NEARLY_FULL):
            # The content decides among equals; of equal contents the last.
            best = min(best, (rank, parts[at].mark, -at))
    return -best[2] or fits or first


def _size(parts: list[Part]) -> int:
    return sum(part.tokens for part in parts)


def _checked(
    text: str, parts: list[Part], count_tokens: CountTokens, most: int
) -> Iterator[ChunkText]:
    """A chunk of the parts; halves of it where the whole has more tokens than its parts."""
    first = parts[0]
    content = text[first.start : parts[-1].end]
    tokens = count_tokens(content)
    if tokens > most and len(parts) > 1:
        at = _middle(parts)
        yield from _checked(text, parts[:at], count_tokens, most)
        yield from _checked(text, parts[at:], count_tokens, most)
        return
    yield ChunkText(0, first.start, parts[-1].end, content, first.page, first.headings, tokens)


def _middle(parts: list[Part]) -> int:
    """Where to cut; behind a heading only where there is no other place."""
    half = _size(parts) / 2
    sizes = itertools.accumulate(part.tokens for part in parts[:-1])
    places = [
        (part.glued, abs(size - half), at)
        for at, (part, size) in enumerate(zip(parts[:-1], sizes, strict=True), start=1)
    ]
    return min(places)[2]
