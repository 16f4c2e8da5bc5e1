"""The terms of a search by keywords: of a passage, and of what somebody asks.

English words are compared without their endings. Chinese, Japanese and Korean text is taken apart
into characters and into pairs of neighbours. A passage has both; a query has a single character
only where that stands alone. Most words have two characters, so that pairs say what is looked for:
characters of a longer query would find passages with the same characters in other words (a query
for `光合` one of `光 荣 联 合`), and nearly all passages, as some characters are everywhere. But
`酶` asked for alone is a word, and must be found inside of an unbroken run.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from app import words

# Words that say nothing of the subject.
STOP_WORD = re.compile(
    "an?|about|and|are|as|at|be|been|being|but|by|can|could|did|do|does|for|from|had|has|have|how"
    "|i|if|in|into|is|it|its|me|my|of|on|or|our|s|should|so|t|than|that|the|their|them|then|there"
    "|these|they|this|those|to|us|was|we|were|what|when|where|which|who|whom|whose|why|will|with"
    "|would|you|your"
)
# With these a question is asked. Pairs of one of their characters and of a neighbour are rare, and
# would count much.
QUESTION = re.compile(
    "请问|为什么|什么是|是什么|什么|怎么样|怎么|怎样|如何|为何|有哪些|哪些|哪个|哪里|多少|吗|呢"
    # Not of 目的 and 的确.
    "|(?<!目)的(?!确)"
)
SHORTEST_STEMMED = 4
VOWEL = re.compile("[aeiouy]")
# Two letters at the end that were doubled for the ending: `stopp-ing`, not `fall-ing`.
DOUBLED = re.compile(r"([bdfgmnprt])\1\Z")
# A short syllable at the end keeps its `e`: `hop-ing` is of `hope`.
SHORT = re.compile(r"[^aeiou]*[aeiouy][^aeiouwxy]")
# How often a vowel is followed by a consonant.
SYLLABLE = re.compile("[aeiouy]+[^aeiouy]+")


def of_passage(text: str) -> Iterator[str]:
    """Each as often as it is there."""
    for term in words.terms(words.normalize(text)):
        yield stem(term)


def of_query(text: str) -> list[str]:
    """The different ones, in their order. Stop words only where there is nothing else."""
    content = words.normalize(text)
    subject = (term for term in _asked(QUESTION.sub(" ", content)) if not STOP_WORD.fullmatch(term))
    return [*dict.fromkeys(map(stem, subject))] or [*dict.fromkeys(map(stem, _asked(content)))]


def words_in(term: str) -> float:
    """How many words of a text it stands for: a character for half of one, a pair for none.

    So a text has about as many words in Chinese as in English.
    """
    if not words.UNSPACED.match(term):
        return 1
    return 0.5 if len(term) == 1 else 0


def _asked(content: str) -> Iterator[str]:
    for unspaced, run in words.runs(content):
        if not unspaced:
            yield run[: words.LONGEST]
        elif len(run) == 1:
            yield run
        else:
            yield from (run[at : at + 2] for at in range(len(run) - 1))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """An English word without the ending of a plural, -ing, -ed or a silent -e.

    After Porter (1980), steps 1 and 5, without those that make of a word another one. What isn't
    English letters alone stays as it is.
    """
    if len(word) < SHORTEST_STEMMED or not (word.isascii() and word.isalpha()):
        return word
    return _without_e(_without_ending(_singular(word)))


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > SHORTEST_STEMMED else word[:-1]
    if word.endswith(("sses", "ches", "shes", "xes")):
        return word[:-2]
    return word if word.endswith(("ss", "us", "is")) else word.removesuffix("s")


def _without_ending(word: str) -> str:
    if word.endswith("ied"):
        return word[:-3] + "y" if len(word) > SHORTEST_STEMMED else word[:-1]
    if word.endswith("eed"):
        return word
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and VOWEL.search(rest) and len(rest) > 1:
            return _completed(rest)
    return word


def _completed(rest: str) -> str:
    if len(rest) >= SHORTEST_STEMMED and DOUBLED.search(rest):
        return rest[:-1]
    return rest + "e" if SHORT.fullmatch(rest) or rest.endswith(("at", "bl", "iz")) else rest


def _without_e(word: str) -> str:
    rest = word.removesuffix("e")
    if rest == word or SHORT.fullmatch(rest) or not SYLLABLE.search(rest):
        return word
    return rest
