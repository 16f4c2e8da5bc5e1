"""Text in the columns of a terminal, whatever somebody else's names and values hold."""

import unicodedata

# It joins emoji, and does nothing else.
JOINER = "\u200d"
ELLIPSIS = "…"


def printable(text: str) -> str:
    """The text without what steers a terminal or turns the order of the letters around."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == JOINER else _escaped(one) for one in text)


def width(text: str) -> int:
    """How many columns a terminal gives to printable text. An estimate for joined emoji."""
    if text.isascii():
        return len(text)
    return sum(_columns(one) for one in text)


def left(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    return " " * (columns - width(text)) + text


def cut(text: str, columns: int) -> str:
    """At most so many columns; an ellipsis is where the rest was."""
    if width(text) <= columns:
        return text
    kept = ""
    free = columns - 1
    for one in text:
        free -= _columns(one)
        if free < 0:
            break
        kept += one
    return kept + ELLIPSIS if columns > 0 else ""


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
