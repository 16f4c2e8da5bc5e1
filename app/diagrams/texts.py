"""What a diagram is found by: its texts, the terms made of them, and what a query asks for.

Terms are made here and not by an engine, so that PostgreSQL and SQLite find the same. Chinese,
Japanese and Korean are written without a sign where a word ends: their characters are terms, and
each two that are neighbours.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from app.diagrams.spec import Spec

LONGEST_CONTENT = 500_000
# A tsvector holds 1 MB of terms, each below 2 KB.
LARGEST_TERMS = 500_000
LONGEST_WORD = 64
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
# The time that normalization takes grows with the square of the accents on a letter: two minutes
# for 500 KB of them. So it goes in pieces, which end where the next character never melts with the
# one before it.
PIECE = re.compile(
    r"[\s\S]{1,1000}(?=[\0-\x7f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]|\Z)"
    r"|[\s\S]{1,1000}"
)
# Signs that aren't seen, with which a text would look like another and not be found by it: soft
# hyphens, joiners, directions, variants of characters. Not U+200B, which separates words.
UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
# Han with its radicals and signs, kana, bopomofo, hangul; planes 2 and 3 are Han's alone.
UNSPACED = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096"
    "\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u3131-\u318e\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uf900-\ufaff"
    "\U00016fe3\U0001aff0-\U0001b16f\U00020000-\U0003fffd]"
)


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
        normalized = _normalized(text[:LONGEST_CONTENT])[:room].rstrip()
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
    for term in _all_terms(content):
        if term in found:
            continue
        room -= len(term.encode())
        if room < 0:
            break
        found[term] = None
    return list(found)


def parse_query(text: str) -> Query:
    """What somebody searches for: of its parts the first 20."""
    parts = [*dict.fromkeys(_parts(_normalized(text)))][:MOST_PARTS]
    return Query(
        terms=tuple(part for kind, part in parts if kind == "term"),
        prefixes=tuple(part for kind, part in parts if kind == "prefix"),
        phrases=tuple(part for kind, part in parts if kind == "phrase"),
    )


def _parts(content: str) -> Iterator[tuple[str, str]]:
    for unspaced, run in _runs(content):
        part = run[:LONGEST_WORD]
        if not unspaced:
            yield "prefix", part
            continue
        if len(part) > 2:
            yield "phrase", part
        # Every second pair: enough for the index, as the whole is a pair itself or a phrase.
        for at in range(0, len(part) - 1, 2):
            yield "term", part[at : at + 2]
        yield "term", part[-2:]


def _all_terms(content: str) -> Iterator[str]:
    for unspaced, run in _runs(content):
        if not unspaced:
            yield run[:LONGEST_WORD]
            continue
        for at, character in enumerate(run):
            yield character
            if at + 1 < len(run):
                yield run[at : at + 2]


def _runs(content: str) -> Iterator[tuple[bool, str]]:
    """Whether it is unspaced, and the run: of unspaced characters, or a word of others."""
    for kind, run in itertools.groupby(content, _kind):
        if kind == "unspaced":
            yield True, "".join(run)
        elif kind == "word":
            # Marks without a letter below them aren't a word.
            word = "".join(itertools.dropwhile(lambda one: not one.isalnum(), run))
            if word:
                yield False, word


@lru_cache(maxsize=65_536)
def _kind(character: str) -> str:
    if UNSPACED.match(character):
        return "unspaced"
    # Letters, marks and numbers.
    return "word" if unicodedata.category(character)[0] in "LMN" else "separator"


def _normalized(text: str) -> str:
    return " ".join("".join(map(_folded, PIECE.findall(text))).split())


def _folded(piece: str) -> str:
    seen = UNSEEN.sub("", unicodedata.normalize("NFKC", piece))
    return unicodedata.normalize("NFKC", seen.casefold())


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
