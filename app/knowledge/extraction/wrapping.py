"""Lines that a paper's width made, put together again."""

import re
from collections.abc import Iterable

# Written without blanks between words: Han, kana, their punctuation, full-width forms. Not hangul.
UNSPACED = (
    "[\u2e80-\u303f\u3040-\u30ff\u3100-\u312f\u31a0-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f"
    "\uff00-\uffef\U00020000-\U0003fffd]"
)
UNSPACED_START = re.compile(UNSPACED)
UNSPACED_END = re.compile(UNSPACED + r"\Z")
# A hyphen that parts a word: between two small letters.
HYPHENATED = re.compile(r"[^\W\d_A-Z][\u00ad\u2010-]\Z")
SMALL_START = re.compile(r"[^\W\d_A-Z]")
# PDFium puts it for a hyphen at a line's end.
MARKED_HYPHEN = ("\x02", "\ufffe", "\u00ad")


def join(lines: Iterable[str]) -> str:
    """One line of many: words apart, parted words together, Chinese without a blank."""
    parts: list[str] = []
    last = ""
    for line in lines:
        line = line.strip(" \t")
        if not line:
            continue
        if parts:
            parts[-1], between = _seam(last, line)
            parts.append(between)
        parts.append(line)
        last = line
    return "".join(parts)


def _seam(before: str, after: str) -> tuple[str, str]:
    """The line as it ends before another, and what comes between."""
    if before.endswith(MARKED_HYPHEN):
        # Of a name or a number, the hyphen is part.
        kept = "" if SMALL_START.match(after) else "-"
        return before[:-1] + kept, ""
    if HYPHENATED.search(before) and SMALL_START.match(after):
        return before[:-1], ""
    if UNSPACED_END.search(before) and UNSPACED_START.match(after):
        return before, ""
    return before, " "
