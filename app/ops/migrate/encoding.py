"""One value of SQLite as the bytes of PostgreSQL's binary COPY, exactly or not at all.

What may be stored, and as what, `values.convert` decides; here its text becomes the binary form
that each type's receive function reads. Types that it doesn't know are left to the server, which
must show the value with the very text that the file has.
"""

import struct
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from app.ops.migrate import values
from app.ops.migrate.source import InvalidText
from app.ops.migrate.target import TIMES, Column
from app.ops.migrate.unstorable import Unstorable

# What the server makes of a text for a type: its binary form and the text that it shows for it.
Ask = Callable[[Column, str], tuple[bytes, str]]

KINDS: dict[str, values.Kind] = {
    "bool": "boolean",
    "bpchar": "char",
    "bytea": "bytea",
    "date": "date",
    "float4": "real",
    "float8": "double",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "json": "json",
    "jsonb": "jsonb",
    "numeric": "numeric",
    "text": "text",
    "time": "time",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "uuid": "uuid",
    "varchar": "varchar",
}
INTEGERS = {"int2": ">h", "int4": ">i", "int8": ">q"}
FLOATS = {"float4": ">f", "float8": ">d"}
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - PostgreSQL's own has no zone either.
MICROSECOND = timedelta(microseconds=1)
POSITIVE, NEGATIVE, PLUS_INFINITY, MINUS_INFINITY = 0x0000, 0x4000, 0xD000, 0xF000


def encode(value: values.Value | None, column: Column, ask: Ask) -> bytes | None:
    """None for SQL's NULL. Raises `Unstorable`."""
    if value is None:
        if not column.nullable:
            raise Unstorable("NULL in a column that must have a value")
        return None
    if isinstance(value, InvalidText) and column.type != "bytea":
        raise Unstorable("text that is not valid in the file's encoding")
    if column.type == "bytea" and isinstance(value, bytes):
        # Not by way of hexadecimal digits, which would take twice the memory.
        if len(value) > values.MOST_BYTES:
            raise Unstorable("more bytes than COPY takes in one row")
        return value
    if column.type == "enum":
        return _label(value, column)
    kind = KINDS.get(column.type)
    if kind is None:
        return _asked(value, column, ask)
    text = values.convert(value, kind, column.length, column.precision, column.scale)
    assert text is not None
    _require_digits(text, column)
    return _binary(text, column.type)


def _require_digits(text: str, column: Column) -> None:
    """The server would round a time without a word."""
    if column.type not in TIMES or column.precision is None:
        return
    fraction = text.removesuffix("+00").partition(".")[2].rstrip("0")
    if len(fraction) > column.precision:
        raise Unstorable(f"a time with more than {column.precision} digits after its seconds")


def _label(value: values.Value, column: Column) -> bytes:
    if not isinstance(value, str) or value not in column.labels:
        raise Unstorable("none of the values that the type has")
    return value.encode()


def _asked(value: values.Value, column: Column, ask: Ask) -> bytes:
    text = values.convert(value, "text")
    assert text is not None
    binary, shown = ask(column, text)
    if shown != text:
        raise Unstorable(f"text that PostgreSQL's {column.type} shows otherwise")
    return binary


def _binary(text: str, type_name: str) -> bytes:
    if type_name in INTEGERS:
        return struct.pack(INTEGERS[type_name], int(text))
    if type_name in FLOATS:
        return struct.pack(FLOATS[type_name], float(text))
    makers: dict[str, Callable[[str], bytes]] = {
        "bool": lambda one: b"\1" if one == "t" else b"\0",
        "bytea": lambda one: bytes.fromhex(one[2:]),
        "date": _date,
        "jsonb": lambda one: b"\1" + one.encode(),
        "numeric": _numeric,
        "time": _time,
        "timestamp": _timestamp,
        "timestamptz": lambda one: _timestamp(one.removesuffix("+00")),
        "uuid": lambda one: uuid.UUID(one).bytes,
    }
    return makers.get(type_name, str.encode)(text)


def _timestamp(text: str) -> bytes:
    return struct.pack(">q", (datetime.fromisoformat(text) - EPOCH) // MICROSECOND)


def _date(text: str) -> bytes:
    return struct.pack(">i", (date.fromisoformat(text) - EPOCH.date()).days)


def _time(text: str) -> bytes:
    made = datetime.combine(EPOCH, time.fromisoformat(text))
    return struct.pack(">q", (made - EPOCH) // MICROSECOND)


def _numeric(text: str) -> bytes:
    """Digits to the base of 10,000; the weight is the place of the first, dscale what is shown."""
    if "Infinity" in text:
        sign = MINUS_INFINITY if text.startswith("-") else PLUS_INFINITY
        return struct.pack(">HhHH", 0, 0, sign, 0)
    negative, digits, exponent = Decimal(text.strip()).as_tuple()
    assert isinstance(exponent, int)
    written = "".join(map(str, digits)) + "0" * max(exponent, 0)
    scale = max(-exponent, 0)
    whole, fraction = written[: len(written) - scale], written[len(written) - scale :]
    if scale > len(written):
        whole, fraction = "", written.rjust(scale, "0")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    together = whole + fraction
    groups = [int(together[at : at + 4]) for at in range(0, len(together), 4)]
    weight = len(whole) // 4 - 1
    while groups and not groups[0]:
        groups.pop(0)
        weight -= 1
    while groups and not groups[-1]:
        groups.pop()
    sign = NEGATIVE if negative and groups else POSITIVE
    header = struct.pack(">HhHH", len(groups), weight if groups else 0, sign, scale)
    return header + struct.pack(f">{len(groups)}H", *groups)
