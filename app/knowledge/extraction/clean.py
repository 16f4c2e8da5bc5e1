"""Makes text of what files hold as text."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from app.knowledge.texts import Block

LONGEST_BLOCK = 20_000
LONGEST_LINE = 500

# What nobody sees or can read: control characters, soft hyphens, directions, halves of surrogate
# pairs, private use, what is no character.
JUNK = re.compile(
    "[\0-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)
# Terminals print a letter, go back, and print it again to make it bold, or underline it so.
OVERSTRIKE = re.compile(r"[^\n\b]\x08")
# Escape sequences of terminals.
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
# From a title to its page in a table of contents.
LEADERS = re.compile(r"(?:[.·…_] ?){6,}")
LINE_END = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
BLANKS = re.compile(r"[^\S\n]+")
# Each run of blanks is looked at once: only from its beginning, and without a way back.
BLANKS_AT_END = re.compile(r"(?<![^\S\n])[^\S\n]++(?=\n|\Z)")
# Normalization takes time with the square of the marks on a letter, so it goes in pieces that end
# where the next character never melts with the one before it.
PIECE = re.compile(
    r"[\s\S]{1,1000}(?=[\0-\x7f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]|\Z)"
    r"|[\s\S]{1,1000}"
)
# Where a text that is too long is best parted, the best first.
BORDERS = (
    re.compile(r"\n(?=\S)"),
    re.compile(r"(?<=[。！？；.!?;])\s?"),
    re.compile(r"\s"),
)


def blocks(raw: Block) -> Iterator[Block]:
    """The block cleaned; none if nothing is left of it, several if it is too long for one."""
    if raw.kind == "code":
        text = code(raw.text)
    elif raw.kind == "heading":
        text = line(raw.text)
    else:
        text = lines(raw.text)
    if len(text) <= LONGEST_BLOCK:
        if text:
            yield replace(raw, text=text)
        return
    for part in _parts(text):
        yield replace(raw, text=part)


def line(text: str) -> str:
    """On one line of bounded length."""
    cleaned = LEADERS.sub("… ", BLANKS.sub(" ", characters(text[: 10 * LONGEST_LINE])))
    return " ".join(cleaned.split())[:LONGEST_LINE].rstrip()


def lines(text: str) -> str:
    """One blank between words; lines stay, empty ones don't."""
    stripped = (
        one.strip() for one in LEADERS.sub("… ", BLANKS.sub(" ", characters(text))).split("\n")
    )
    return "\n".join(one for one in stripped if one)


def code(text: str) -> str:
    """Blanks stay as they are, but for those at the ends of lines and around the whole."""
    return BLANKS_AT_END.sub("", characters(text).expandtabs(4)).strip()


def characters(text: str) -> str:
    """Without what can't be read, in Unicode's composed form."""
    text = LINE_END.sub("\n", ESCAPE.sub("", _without_overstrike(text)))
    text = JUNK.sub("", text)
    if text.isascii():
        return text
    return "".join(unicodedata.normalize("NFC", piece) for piece in PIECE.findall(text))


def _without_overstrike(text: str) -> str:
    return OVERSTRIKE.sub("", text) if "\b" in text else text


def _parts(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > LONGEST_BLOCK:
        end = _border(text, start)
        if part := text[start:end].strip():
            yield part
        start = end
    if part := text[start:].strip():
        yield part


def _border(text: str, start: int) -> int:
    """Where the part that begins at `start` ends: at a border in its second half, if it has one."""
    middle, end = start + LONGEST_BLOCK // 2, start + LONGEST_BLOCK
    for border in BORDERS:
        found = [match.end() for match in border.finditer(text, middle, end)]
        if found:
            return found[-1]
    # Marks belong to the letter before them.
    while end > middle and unicodedata.combining(text[end]):
        end -= 1
    return end
