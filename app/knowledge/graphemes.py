"""Where a text may be cut, so that what people see as one character stays whole."""

import unicodedata

from app import words

ZERO_WIDTH_JOINER = "\u200d"
# No writing stacks so many marks, and what is cut nowhere could be as long as a file.
LONGEST = 128

# They belong to the character before them, but aren't marks: voicing of half-width katakana, the
# second half of Thai and Lao vowels.
ATTACHED = frozenset("\uff9e\uff9f\u0e33\u0eb3")


def is_boundary(text: str, at: int) -> bool:
    """Whether the text may be cut in front of this character."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before.isspace():
        return (before, after) != ("\r", "\n")
    if after < "\u0300" and after != "\u00ad":
        # Most text ends here.
        return True
    if _attaches(after) or before == ZERO_WIDTH_JOINER or _is_pair(before, after):
        return False
    return not (_is_flag(before) and _is_flag(after) and _flags_before(text, at) % 2)


def boundary_before(text: str, at: int, floor: int) -> int:
    """The last boundary in (floor, at]; without one, the first behind `floor`."""
    for found in range(min(at, len(text)), max(floor, at - LONGEST), -1):
        if is_boundary(text, found):
            return found
    return boundary_after(text, floor + 1) if at - LONGEST <= floor else at


def boundary_after(text: str, at: int) -> int:
    """The first boundary at `at` or behind it; no farther than the longest character goes."""
    end = min(len(text), at + LONGEST)
    while at < end and not is_boundary(text, at):
        at += 1
    return at


def shortened(text: str, most: int) -> str:
    """The beginning of it, with so many characters at most."""
    if len(text) <= most:
        return text
    end = boundary_before(text, most, 0)
    return text[:end].rstrip() if 0 < end <= most else ""


def _attaches(character: str) -> bool:
    return (
        unicodedata.category(character)[0] == "M"
        or character in ATTACHED
        or "\u1160" <= character <= "\u11ff"
        or "\ud7b0" <= character <= "\ud7fb"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or words.UNSEEN.match(character) is not None
    )


def _is_pair(before: str, after: str) -> bool:
    """Halves of a character: text that was read wrongly has them."""
    return "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff"


def _is_flag(character: str) -> bool:
    """Two such letters make a flag."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, at: int) -> int:
    start = at
    while start > max(0, at - LONGEST) and _is_flag(text[start - 1]):
        start -= 1
    return at - start
