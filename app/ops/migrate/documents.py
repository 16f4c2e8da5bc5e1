"""JSON for PostgreSQL's types: the same document or refused.

A column of type json keeps the text as it is. One of type jsonb keeps what it says, so it is
refused where that would be less: one of two equal keys, U+0000, half of a surrogate pair, a number
beyond numeric. A number that SQLite holds in such a column is a JSON number: its numeric affinity
made it one.
"""

import json
import math
import re
from collections.abc import Callable

from app.ops.migrate import nesting, numerals
from app.ops.migrate.unstorable import Unstorable

Value = int | float | str | bytes

# What jsonb can't hold begins with one of these, after any number of other escapes.
SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|(?P<nul>u0000)|.)"
)
# The most bytes of a jsonb, and what an element takes at most besides its own text.
MOST_BYTES = (1 << 28) - 1
OVERHEAD = 16


def to_json(value: Value) -> str:
    text = _text(value)
    _parse(text, lambda _pairs: None, lambda _number: None)
    return text


def to_jsonb(value: Value) -> str:
    text = _text(value)
    _require_room(text)
    _parse(text, _require_different, _require_numeric)
    _require_characters(text)
    return text


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        raise Unstorable("binary data in a column of JSON")
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isinf(value):
        raise Unstorable("infinity, which JSON has no number for")
    return repr(value)


def _parse(
    text: str, see_pairs: Callable[[nesting.Pairs], None], see_number: Callable[[str], None]
) -> None:
    """Nothing is kept of objects and numbers, so that memory holds little more than the text."""
    decoder = json.JSONDecoder(
        object_pairs_hook=see_pairs,
        parse_int=see_number,
        parse_float=see_number,
        parse_constant=_refuse_constant,
    )
    try:
        try:
            decoder.decode(text)
        except RecursionError:
            nesting.walk(text, decoder, see_pairs)
    except json.JSONDecodeError as error:
        reason = f"text that is not valid JSON: {error.msg} at character {error.pos}"
        raise Unstorable(reason) from error


def _refuse_constant(name: str) -> None:
    raise Unstorable(f"text that is not valid JSON: it has {name}")


def _require_different(pairs: nesting.Pairs) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise Unstorable("JSON with a key that stands twice in one object")


def _require_numeric(number: str) -> None:
    # Nearly all are so short that they can't be beyond it.
    if len(number) <= numerals.MOST_AFTER and "e" not in number and "E" not in number:
        return
    try:
        numerals.parse(number)
    except Unstorable as error:
        raise Unstorable("JSON with a number that has more digits than jsonb holds") from error


def _require_characters(text: str) -> None:
    if SUSPECT.search(text) is None:
        return
    for escape in ESCAPE.finditer(text):
        if escape["nul"]:
            raise Unstorable("JSON with the character U+0000")
        if escape["half"]:
            raise Unstorable("JSON with half of a surrogate pair")


def _require_room(text: str) -> None:
    """Refuses what could be too large for a jsonb. An exact size would need PostgreSQL itself."""
    # A character is at most an element of its own, and four bytes.
    if len(text) * (OVERHEAD + 4) <= MOST_BYTES:
        return
    elements = sum(map(text.count, ",:[{")) + 1
    size = len(text) if text.isascii() else len(text.encode())
    if size + elements * OVERHEAD > MOST_BYTES:
        raise Unstorable("JSON that may be larger than a jsonb can be")
