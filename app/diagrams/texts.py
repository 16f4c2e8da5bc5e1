"""What a diagram is found by: its texts, the terms made of them, and what a query asks for."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from app import words
from app.diagrams.spec import Spec

LONGEST_CONTENT = 500_000
# A tsvector holds 1 MB of terms, each below 2 KB.
LARGEST_TERMS = 500_000
MOST_PARTS = 20

# A field whose name ends with such a word (`parentId`, `edge_type`) holds no text for people.
TECHNICAL = re.compile(
    "algorithm|align|class|colou?rs?|date|fill|font|format|href|icon|ids?|images?|img|lang|language"
    "|layout|link|metadata|orientation|positions?|source|src|stroke|styles?|svg|target|thumbnail"
    "|timestamp|types?|ur[il]|urls|uuid|version|viewport",
    re.IGNORECASE,
)
PART_OF_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+[;,]", re.ASCII)


@dataclass(frozen=True)
class Query:
    """What a diagram must have to be found, all of it. False when that is nothing."""

    # Each is one of the diagram's terms.
    terms: tuple[str, ...] = ()
    # With each begins one of the diagram's terms.
    prefixes: tuple[str, ...] = ()
    # Each stands in the diagram's content: its pairs alone could come from different places.
    phrases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms or self.prefixes or self.phrases)


def of(title: str, spec: Spec) -> str:
    """The title and the texts of the nodes, normalized, one on each line."""
    found: list[str] = []
    room = LONGEST_CONTENT
    for text in itertools.chain([title], _texts(spec)):
        normalized = words.normalize(text[:LONGEST_CONTENT])[:room].rstrip()
        if normalized:
            found.append(normalized)
            room -= len(normalized) + 1
        if room <= 0:
            break
    return "\n".join(found)


def terms(content: str) -> list[str]:
    """The different terms of normalized text, in the order in which they first appear."""
    found: dict[str, None] = {}
    room = LARGEST_TERMS
    for term in words.terms(content):
        if term in found:
            continue
        room -= len(term.encode())
        if room < 0:
            break
        found[term] = None
    return list(found)


def parse_query(text: str) -> Query:
    """What somebody searches for: of its parts the first 20."""
    parts = [*dict.fromkeys(_parts(words.normalize(text)))][:MOST_PARTS]
    return Query(
        terms=tuple(part for kind, part in parts if kind == "term"),
        prefixes=tuple(part for kind, part in parts if kind == "prefix"),
        phrases=tuple(part for kind, part in parts if kind == "phrase"),
    )


def _parts(content: str) -> Iterator[tuple[str, str]]:
    for unspaced, run in words.runs(content):
        part = run[: words.LONGEST]
        if not unspaced:
            yield "prefix", part
            continue
        if len(part) > 2:
            yield "phrase", part
        # Every second pair: enough for the index, as the whole is a pair itself or a phrase.
        for at in range(0, len(part) - 1, 2):
            yield "term", part[at : at + 2]
        yield "term", part[-2:]


def _texts(spec: Spec) -> Iterator[str]:
    # A stack, not recursion: the input decides the depth.
    stack: list[object] = [spec]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            # A picture may stand anywhere.
            if not DATA_URL.match(value):
                yield value
        elif isinstance(value, dict):
            stack += reversed([inner for name, inner in value.items() if not _is_technical(name)])
        elif isinstance(value, list):
            stack += reversed(value)


def _is_technical(name: str) -> bool:
    parts = PART_OF_NAME.findall(name)
    return name.startswith("_") or bool(parts and TECHNICAL.fullmatch(parts[-1]))
