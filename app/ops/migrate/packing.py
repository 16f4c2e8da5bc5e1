"""Rows of SQLite as rows of PostgreSQL's binary COPY, for values that need no thought.

Each column has a condition in SQLite's SQL under which the value that SQLite hands out and the
value that PostgreSQL stores are the same one. Rows that meet all of them are packed here, without a
look at single values; all others are converted one by one elsewhere. The condition is never NULL,
so a row goes exactly one way. Not for files in UTF-16: SQLite changes lone surrogates as it reads
them as UTF-8.

The format is that of "Binary Format" in PostgreSQL's description of COPY: big-endian, each value
behind its length in bytes, -1 for NULL.
"""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.ops.migrate.catalogue import quoted
from app.ops.migrate.target import Column

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)

# PostgreSQL counts microseconds from 2000, Unix seconds from 1970.
SECONDS_TO_2000 = 946_684_800

# What is longer is copied by itself, so that a batch of rows stays small. A character takes up to
# four bytes.
LONGEST = 100_000
LARGEST = 4 * LONGEST

SECONDS = "substr({0}, 1, 19)"
# SQLite takes the 31st of any month, and hour 24; what is right is the same after a calculation.
IS_TIME = (
    "typeof({0}) = 'text' AND {0} >= '0001' AND (length(CAST({0} AS BLOB)) = 19"
    " OR length(CAST({0} AS BLOB)) = 26"
    " AND substr({0}, 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')"
    f" AND datetime({SECONDS}, '+0 seconds') IS replace({SECONDS}, 'T', ' ')"
)
MICROSECONDS = (
    f"(unixepoch({SECONDS}) - {SECONDS_TO_2000}) * 1000000 + CAST(substr({{0}}, 21) AS INTEGER)"
)
IS_TEXT = "typeof({0}) = 'text' AND instr({0}, char(0)) = 0"


@dataclass(frozen=True)
class _Way:
    """How values of a type are found fit, read and packed; {0} is the column or value.

    A condition begins with the type, so that it is false, not NULL, for NULL.
    """

    condition: str
    pack: str
    read: str = "{0}"
    is_text: bool = False


class Doubtful(ValueError):
    """A value that one look can't tell to be right."""


def _integer(size: int) -> _Way:
    most = 2 ** (8 * size - 1)
    return _Way(
        # The least of 8 bytes is a real to SQLite when it is written with its sign in front.
        f"typeof({{0}}) = 'integer' AND {{0}} BETWEEN {-most + (size == 8)} AND {most - 1}",
        f"int{size}({size}, {{0}})",
    )


_TEXT = _Way(IS_TEXT, "length(len({0})) + {0}", is_text=True)
_JSON = _Way(IS_TEXT, "length(len({0})) + {0}", is_text=True)
_JSONB = _Way(IS_TEXT, "jsonb({0})", is_text=True)
_TIME = _Way(IS_TIME, "int8(8, {0})", MICROSECONDS)

WAYS: dict[str, _Way] = {
    "bool": _Way("typeof({0}) = 'integer' AND {0} IN (0, 1)", "flags[{0}]"),
    "bytea": _Way("typeof({0}) = 'blob'", "length(len({0})) + {0}"),
    "float8": _Way("typeof({0}) = 'real'", "float8(8, {0})"),
    "int2": _integer(2),
    "int4": _integer(4),
    "int8": _integer(8),
    # Whether it is JSON the server tells.
    "json": _JSON,
    "jsonb": _JSONB,
    "text": _TEXT,
    # Texts without an offset are in UTC.
    "timestamp": _TIME,
    "timestamptz": _TIME,
    "varchar": _TEXT,
}


def _require_different(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise Doubtful


_decoder = json.JSONDecoder(object_pairs_hook=_require_different)
_length = struct.Struct(">i").pack


def _jsonb(raw: bytes) -> bytes:
    """The one thing that the server would change without a word is one of two equal keys.

    What else is wrong it refuses.
    """
    try:
        _decoder.decode(raw.decode())
    except (RecursionError, ValueError) as error:
        raise Doubtful from error
    return _length(len(raw) + 1) + b"\1" + raw


# What the expressions of WAYS use.
PACKERS: dict[str, Any] = {
    "flags": (struct.pack(">ib", 1, 0), struct.pack(">ib", 1, 1)),
    "jsonb": _jsonb,
    "float8": struct.Struct(">id").pack,
    "int2": struct.Struct(">ih").pack,
    "int4": struct.Struct(">ii").pack,
    "int8": struct.Struct(">iq").pack,
    "length": _length,
    "null": NULL,
}


@dataclass(frozen=True)
class Packing:
    """The fast way for some columns of a table.

    `condition` is true of the rows that may take it; it is never NULL. `select` are the expressions
    to read, in the order of the columns, by a connection whose text_factory is bytes. SQLite can't
    tell whether a text is UTF-8, or JSON; the server refuses what isn't. `pack` raises `Doubtful`
    for rows of which one has a value that needs a closer look.
    """

    condition: str
    select: str
    pack: Callable[[Sequence[Sequence[Any]]], bytes]


def can_pack(column: Column) -> bool:
    return column.type in WAYS and not column.is_generated


def of(columns: Sequence[tuple[str, Column]]) -> Packing:
    """The packing of columns, each with the name that it has in SQLite.

    Raises:
        KeyError: a column for which `can_pack` is false.
    """
    named = [(quoted(name), column, WAYS[column.type]) for name, column in columns]
    return Packing(
        condition=" AND ".join(_condition(name, column, way) for name, column, way in named),
        select=", ".join(way.read.format(name) for name, _, way in named),
        pack=_packer([way for _, _, way in named]),
    )


def _condition(name: str, column: Column, way: _Way) -> str:
    fits = way.condition.format(name)
    if way.is_text:
        fits += f" AND length({name}) <= {min(column.length or LONGEST, LONGEST)}"
    elif column.type == "bytea":
        fits += f" AND length({name}) <= {LARGEST}"
    return f"({name} IS NULL OR {fits})" if column.nullable else f"({fits})"


def _packer(ways: Sequence[_Way]) -> Callable[[Sequence[Sequence[Any]]], bytes]:
    """A function for just these columns.

    It is generated, as the standard library does it for named tuples: a loop over the columns would
    cost a call and a choice for each value.
    """
    names = [f"v{at}" for at in range(len(ways))]
    values = [
        f"null if {name} is None else {way.pack.format(name)}"
        for name, way in zip(names, ways, strict=True)
    ]
    row = f"b''.join((head, {', '.join(values)}))"
    join_rows: Callable[[Sequence[Sequence[Any]]], bytes] = eval(  # noqa: S307 - of our own words
        f"lambda rows: b''.join([{row} for ({', '.join(names)},) in rows])",
        {**PACKERS, "head": struct.pack(">h", len(ways))},
    )
    return join_rows
