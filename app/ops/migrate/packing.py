"""Rows of SQLite as rows of PostgreSQL's binary COPY, for values that need no thought.

Values are packed as they are fetched, texts as bytes, and each way of packing raises one of `ODD`
for a value that isn't plainly of its type: no value is looked at twice. What can't be told from
fetched values, a blob from a text, and what must not be fetched in batches, a huge value, a
condition in SQLite's SQL keeps out. What is left the server refuses: texts that aren't UTF-8 or
have U+0000 in them, and what isn't JSON. All that is odd is converted one by one elsewhere. Not for
files in UTF-16: SQLite changes lone surrogates as it reads them as UTF-8.

The format is that of "Binary Format" in PostgreSQL's description of COPY: big-endian, each value
behind its length in bytes, -1 for NULL.
"""

import json
import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.ops.migrate.catalogue import quoted
from app.ops.migrate.target import Column

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)

# What is longer is copied by itself, so that a batch of rows stays small. A character takes up to
# four bytes.
LONGEST = 100_000
LARGEST = 4 * LONGEST
# A row with more than this isn't even fetched in a batch: SQLite refuses to.
LARGEST_ROW = 600_000
# Numbers whose packed form is kept: most columns have the same ones again and again.
REMEMBERED = 50_000

EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - a text without a zone, which is in UTC.
SEPARATORS, DOT = (b" ", b"T"), ord(".")
# Characters of a moment without a fraction.
WHOLE_SECONDS = 19


class Doubtful(ValueError):
    """A value that one look can't tell to be right."""


# What packing raises for values that it isn't made for.
ODD = (ValueError, struct.error, TypeError, AttributeError, KeyError, IndexError)

_length = struct.Struct(">i").pack
_int8 = struct.Struct(">iq").pack
# The lengths of most texts.
LENGTHS = [_length(length) for length in range(4096)]


class _Numbers(dict[int | None, bytes]):
    """Packed integers; what isn't there yet is packed, or refused, and kept."""

    def __init__(self, pack: Callable[[int], bytes], is_nullable: bool) -> None:
        super().__init__()
        self._pack = pack
        self._is_nullable = is_nullable
        self._begin()

    def __missing__(self, number: int | None) -> bytes:
        if number is None:
            raise Doubtful
        if len(self) > REMEMBERED:
            self.clear()
            self._begin()
        made = self[number] = self._pack(number)
        return made

    def _begin(self) -> None:
        if self._is_nullable:
            self[None] = NULL


def _packed_integer(size: int, letter: str) -> Callable[[int], bytes]:
    pack = struct.Struct(f">i{letter}").pack
    return lambda number: pack(size, number)


INTEGERS = {
    "int2": _packed_integer(2, "h"),
    "int4": _packed_integer(4, "i"),
    "int8": _packed_integer(8, "q"),
}


def _long(raw: bytes) -> bytes:
    if len(raw) > LARGEST:
        raise Doubtful
    return _length(len(raw))


class _Hours(dict[bytes, int]):
    """Microseconds since 2000 of `YYYY-MM-DD HH:`, perhaps with a T; rows come in their order."""

    def __missing__(self, raw: bytes) -> int:
        # The reader below takes other forms as well, and other signs between.
        if not (raw[4:8:3] == b"--" and raw[13:] == b":" and raw[10:11] in SEPARATORS):
            raise Doubtful
        # Later releases of Python take it for the next day.
        if len(raw) != 14 or raw[11:13] == b"24":
            raise Doubtful
        since = datetime.fromisoformat(raw[:13].decode()) - EPOCH
        if len(self) > REMEMBERED:
            self.clear()
        made = self[raw] = (since.days * 86_400 + since.seconds) * 1_000_000
        return made


_hours = _Hours()
# Microseconds of `MM:SS`.
_SECONDS = {b"%02d:%02d" % divmod(second, 60): second * 1_000_000 for second in range(3600)}


def _moment(raw: bytes) -> bytes:
    """`YYYY-MM-DD HH:MM:SS`, perhaps with a T, perhaps with six digits of a fraction."""
    if len(raw) == 26:
        fraction = raw[20:]
        if not (fraction.isdigit() and raw[19] == DOT):
            raise Doubtful
        return _int8(8, _hours[raw[:14]] + _SECONDS[raw[14:19]] + int(fraction))
    if len(raw) != 19:
        raise Doubtful
    return _int8(8, _hours[raw[:14]] + _SECONDS[raw[14:]])


# The pairs of each object of the JSON that is being read, in a list of their own.
_objects: list[list[tuple[str, Any]]] = []
_decoder = json.JSONDecoder(object_pairs_hook=_objects.append)


def _jsonb(raw: bytes) -> bytes:
    """The one thing that the server would change without a word is one of two equal keys.

    What else is wrong it refuses.
    """
    _objects.clear()
    try:
        _decoder.decode(raw.decode())
    except RecursionError as error:
        raise Doubtful from error
    for pairs in _objects:
        if len(dict(pairs)) < len(pairs):
            raise Doubtful
    return _length(len(raw) + 1) + b"\1" + raw


FLOAT = "(float8(8, {0}) if {0}.__class__ is float else odd({0}))"
BYTES = "(lengths[len({0})] if len({0}) < 4096 else long({0})) + {0}"
# How values of a type are packed, where that doesn't depend on the column.
WAYS: dict[str, str] = {
    "bool": "flags[{0}]",
    "bytea": BYTES,
    "float8": FLOAT,
    "int2": "int2({0})",
    "int4": "int4({0})",
    "int8": "int8({0})",
    "json": BYTES,
    "jsonb": "jsonb({0})",
    "text": BYTES,
    "timestamp": "moment({0})",
    "timestamptz": "moment({0})",
    "varchar": BYTES,
}
TEXTS = {"json", "jsonb", "text", "varchar"}
MOMENTS = {"timestamp", "timestamptz"}


def _odd(_value: object) -> bytes:
    raise Doubtful


# What the expressions of WAYS use.
PACKERS: dict[str, Any] = {
    "flags": {0: struct.pack(">ib", 1, 0), 1: struct.pack(">ib", 1, 1)},
    "float8": struct.Struct(">id").pack,
    **INTEGERS,
    "jsonb": _jsonb,
    "lengths": LENGTHS,
    "long": _long,
    "moment": _moment,
    "null": NULL,
    "odd": _odd,
}


@dataclass(frozen=True)
class Packing:
    """The fast way for some columns of a table.

    `refused` is true of rows that must not take it; it is never NULL. `select` are the columns to
    read, by a connection whose text_factory is bytes. `pack` takes rows that have one more value
    at their end, which it leaves out, and raises one of `ODD` when one of the rows has a value that
    needs a closer look.
    """

    refused: str
    select: str
    pack: Callable[[Sequence[Sequence[Any]]], bytes]


def can_pack(column: Column) -> bool:
    return column.type in WAYS and not column.is_generated


def of(columns: Sequence[tuple[str, Column]], different: Collection[str] = ()) -> Packing:
    """The packing of columns, each with the name that it has in SQLite.

    Args:
        columns: in the order of the rows.
        different: names of those, as keys, whose values are hardly ever the same ones.

    Raises:
        KeyError: a column for which `can_pack` is false.
    """
    refused = [_refused(quoted(name), column) for name, column in columns]
    return Packing(
        refused=f"coalesce({' OR '.join(one for one in refused if one) or '0'}, 0)",
        select=", ".join(quoted(name) for name, _ in columns),
        pack=_packer([(column, name in different) for name, column in columns]),
    )


def _refused(name: str, column: Column) -> str:
    # A blob is more than any text, and all blobs are at least this one.
    is_blob = f"{name} >= x''"
    if column.type == "bytea":
        return f"length({name}) > {LARGEST}"
    if column.type in MOMENTS and column.precision not in {None, 6}:
        # One with more digits than the column keeps the server would round.
        return f"{is_blob} OR length({name}) > {WHOLE_SECONDS}"
    if column.type in MOMENTS or _has_lengths(column):
        return is_blob
    if column.type in TEXTS:
        # Of one that is too long the server would cut off spaces without a word.
        longest = min(column.length or LONGEST, LONGEST)
        return f"{is_blob} OR length({name}) > {longest}"
    return ""


def _has_lengths(column: Column) -> bool:
    """Whether the packed lengths that fit are at hand, so that others are refused by `pack`."""
    return column.type == "varchar" and bool(column.length) and (column.length or 0) < len(LENGTHS)


def _packer(columns: Sequence[tuple[Column, bool]]) -> Callable[[Sequence[Sequence[Any]]], bytes]:
    """A function for just these columns.

    It is generated, as the standard library does it for named tuples: a loop over the columns would
    cost a call and a choice for each value.
    """
    known = {**PACKERS, "head": struct.pack(">h", len(columns))}
    names = [f"v{at}" for at in range(len(columns))]
    values = []
    for name, (column, is_different) in zip(names, columns, strict=True):
        way = WAYS[column.type].format(name)
        if column.type in INTEGERS and not is_different:
            known[f"of_{name}"] = _Numbers(INTEGERS[column.type], column.nullable)
            values.append(f"of_{name}[{name}]")
            continue
        null = "null" if column.nullable else f"odd({name})"
        if _has_lengths(column):
            # In bytes, of which a text never has less than characters.
            known[f"of_{name}"] = LENGTHS[: (column.length or 0) + 1]
            values += [f"{null} if {name} is None else of_{name}[len({name})]", f"{name} or b''"]
            continue
        values.append(f"{null} if {name} is None else {way}")
    row = f"b''.join((head, {', '.join(values)}))"
    join_rows: Callable[[Sequence[Sequence[Any]]], bytes] = eval(  # noqa: S307 - of our own words
        f"lambda rows: b''.join([{row} for ({', '.join(names)}, _) in rows])", known
    )
    return join_rows
