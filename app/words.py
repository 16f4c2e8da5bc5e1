"""Text as a search sees it: normalized, and taken apart into terms.

Terms are made here and not by an engine, so that all engines find the same. Chinese, Japanese and
Korean are written without a sign where a word ends: their characters are terms, and each two that
are neighbours.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

LONGEST = 64

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


def normalize(text: str) -> str:
    """As it is compared: without differences of case, width and form, one space between words."""
    return " ".join("".join(map(fold, PIECE.findall(text))).split())


def terms(content: str) -> Iterator[str]:
    """Those of normalized text, each as often as it is there."""
    for unspaced, run in runs(content):
        if not unspaced:
            yield run[:LONGEST]
            continue
        for at, character in enumerate(run):
            yield character
            if at + 1 < len(run):
                yield run[at : at + 2]


def runs(content: str) -> Iterator[tuple[bool, str]]:
    """Whether it is unspaced, and the run: of unspaced characters, or a word of others.

    Those of normalized text, in full length: a term has 64 characters at most.
    """
    for unspaced, start, end in spans(content):
        yield unspaced, content[start:end]


def spans(content: str) -> Iterator[tuple[bool, int, int]]:
    """Where the runs are."""
    end = 0
    for kind, run in itertools.groupby(content, _kind):
        start = end
        end += sum(1 for _ in run)
        if kind == "word":
            # Marks without a letter below them aren't a word.
            while start < end and not content[start].isalnum():
                start += 1
        if kind != "separator" and start < end:
            yield kind == "unspaced", start, end


def fold(text: str) -> str:
    """Short text, normalized but for its spaces."""
    seen = UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFKC", seen.casefold())


@lru_cache(maxsize=65_536)
def _kind(character: str) -> str:
    if UNSPACED.match(character):
        return "unspaced"
    # Letters, marks and numbers.
    return "word" if unicodedata.category(character)[0] in "LMN" else "separator"
