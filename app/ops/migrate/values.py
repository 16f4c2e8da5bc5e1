"""One value of SQLite as the text that PostgreSQL's COPY takes for a type, exactly or not at all.

`convert` gives the text itself, which `csv_field` writes for COPY ... FROM STDIN (FORMAT csv,
NULL '\\N', ENCODING 'UTF8'). Every value is quoted there, so that none is taken for NULL or for
the end of the data.

- boolean: 0 and 1 as numbers or text, and t, f, true, false in any case.
- text, varchar, char: text with characters counted, not bytes. A number becomes the text that
  SQLite shows for it, if that is the same number. Spaces at the end of a char are refused: it
  can't tell them from those it adds.
- bytea: bytes; text becomes its UTF-8 bytes, also when it looks like hex or base64.
- uuid: 32 hexadecimal digits, with hyphens in the usual places or without.
- numbers: numerals.py; dates and times: times.py; json and jsonb: documents.py.
"""

import math
import re
import sqlite3
from contextlib import closing
from typing import Literal, cast, get_args

from app.ops.migrate import documents, numerals, times
from app.ops.migrate.unstorable import Unstorable

__all__ = ["Kind", "Unstorable", "Value", "convert", "csv_field"]

Value = int | float | str | bytes
Text = Literal["text", "varchar", "char"]
Kind = (
    Literal["boolean", "numeric", "real", "double", "bytea", "json", "jsonb", "uuid"]
    | Text
    | numerals.Integer
    | times.Moment
)

BOOLEANS = {"0": "f", "f": "f", "false": "f", "1": "t", "t": "t", "true": "t"}
SURROGATE = re.compile("[\ud800-\udfff]")
UUID = re.compile(
    "[0-9a-f]{8}(-?)[0-9a-f]{4}\\1[0-9a-f]{4}\\1[0-9a-f]{4}\\1[0-9a-f]{12}",
    re.IGNORECASE | re.ASCII,
)
# A row of COPY is below 1 GiB, and a byte takes two characters there.
MOST_BYTES = 536_000_000


def convert(
    value: Value | None,
    kind: Kind,
    length: int | None = None,
    precision: int | None = None,
    scale: int | None = None,
) -> str | None:
    """The text for COPY, or None for SQL's NULL. Raises `Unstorable`.

    `length` is that of varchar(length) or char(length), in characters.
    """
    if value is None:
        return None
    if isinstance(value, str) and not value.isascii() and SURROGATE.search(value):
        raise Unstorable("text with half of a surrogate pair, which is not valid Unicode")
    if kind == "numeric":
        return numerals.to_numeric(value, precision, scale)
    if kind in get_args(Text):
        return _text(value, kind, length)
    return _convert(value, kind)


def csv_field(converted: str | None) -> str:
    if converted is None:
        return "\\N"
    return '"' + converted.replace('"', '""') + '"'


def _convert(value: Value, kind: Kind) -> str:
    if kind in get_args(numerals.Integer):
        return numerals.to_integer(value, cast(numerals.Integer, kind))
    if kind in get_args(times.Moment):
        return times.convert(value, cast(times.Moment, kind))
    makers = {
        "boolean": _boolean,
        "bytea": _bytea,
        "double": numerals.to_double,
        "json": documents.to_json,
        "jsonb": documents.to_jsonb,
        "real": numerals.to_real,
        "uuid": _uuid,
    }
    return makers[kind](value)


def _boolean(value: Value) -> str:
    if isinstance(value, int | float) and value in (0, 1):
        return "t" if value else "f"
    if isinstance(value, str) and len(value) <= 5:
        found = BOOLEANS.get(value.lower())
        if found is not None:
            return found
    raise Unstorable("neither true nor false")


def _text(value: Value, kind: Kind, length: int | None) -> str:
    text = _shown(value)
    if "\0" in text:
        raise Unstorable("text with the character U+0000")
    if length is not None and len(text) > length:
        raise Unstorable(f"text of {len(text)} characters where {length} are allowed")
    if kind == "char" and text.endswith(" "):
        raise Unstorable("text with spaces at its end in a char, which doesn't keep them")
    return text


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        raise Unstorable(_wrong_bytes(value))
    if isinstance(value, int):
        return str(value)
    with closing(sqlite3.connect(":memory:")) as connection:
        (text,) = connection.execute("SELECT CAST(? AS TEXT)", [value]).fetchone()
    if math.isinf(value) or repr(float(text)) != repr(value):
        raise Unstorable("a number in a column of text, of which SQLite shows not all digits")
    return str(text)


def _wrong_bytes(value: bytes) -> str:
    try:
        value.decode()
    except UnicodeDecodeError:
        return "bytes that are not valid UTF-8 in a column of text"
    return "binary data in a column of text"


def _bytea(value: Value) -> str:
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        raise Unstorable("a number in a column of binary data")
    if len(value) > MOST_BYTES:
        raise Unstorable("more bytes than COPY takes in one row")
    return f"\\x{value.hex()}"


def _uuid(value: Value) -> str:
    if isinstance(value, str) and UUID.fullmatch(value):
        return value
    raise Unstorable("not a UUID of 32 hexadecimal digits")
