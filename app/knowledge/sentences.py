"""Where lines, sentences and clauses end, in Chinese and in English."""

import re
from collections.abc import Callable, Iterator

# A closing sign belongs to the sentence that it closes.
CLOSING = "[\"'’”」』】〕）〉》)\\]]"
# Possessive, and from the first of several signs: the time stays in proportion to the text.
LINE = re.compile(r"[\r\n\u2028\u2029]+")
SENTENCE = re.compile(
    rf"[。！？；｡…]++{CLOSING}*+"
    # Between Chinese characters often stands no space.
    rf"|(?<![.!?])[.!?]++{CLOSING}*+(?=\s|(?<!\.)[\u3040-\u9fff])"
    # A line that ends without a sign may go on; an empty line ends everything.
    r"|\n[^\S\n]*+\n"
)
CLAUSE = re.compile(
    rf"[，、：]++{CLOSING}*+|(?<![,:;])[,:;]++{CLOSING}*+(?=\s|[\u3040-\u9fff])|\n|[—–]+"
)
SPACE = re.compile(r"\s+")
# A full stop behind one of these ends no sentence.
ABBREVIATION = re.compile(
    r"al|approx|art|ca|cf|chs?|chap|co|corp|dept|dr|eds?|e\.g|eqs?|etc|figs?|gen|i\.e|inc|jr|ltd"
    r"|min|mrs?|ms|mt|nos?|op|pp?|prof|refs?|resp|secs?|sects?|sen|sr|st|tab|univ|viz|vols?|vs",
    re.IGNORECASE,
)
LAST_WORD = re.compile(r"[\w.]*\Z")
LONGEST_ABBREVIATION = 8

# Where a unit ends, for the part of a text between two places.
Ends = Callable[[str, int, int], Iterator[int]]


def lines(text: str, start: int, end: int) -> Iterator[int]:
    return (found.end() for found in LINE.finditer(text, start, end))


def sentences(text: str, start: int, end: int) -> Iterator[int]:
    for found in SENTENCE.finditer(text, start, end):
        if not (found[0] == "." and _goes_on(text, found.start(), start, end)):
            yield found.end()


def clauses(text: str, start: int, end: int) -> Iterator[int]:
    return (found.end() for found in CLAUSE.finditer(text, start, end))


def spaces(text: str, start: int, end: int) -> Iterator[int]:
    return (found.end() for found in SPACE.finditer(text, start, end))


def _goes_on(text: str, stop: int, start: int, end: int) -> bool:
    """Whether the full stop belongs to an abbreviation or an initial, or a small letter follows."""
    before = LAST_WORD.search(text, max(start, stop - LONGEST_ABBREVIATION), stop)
    word = before[0] if before else ""
    if ABBREVIATION.fullmatch(word) or (len(word) == 1 and word.isupper()):
        return True
    after = text[stop + 1 : min(end, stop + 4)].lstrip()
    return after[:1].islower()
