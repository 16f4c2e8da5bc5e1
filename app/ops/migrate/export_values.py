"""Rows of PostgreSQL's binary COPY as values of SQLite, each the same one or refused.

- boolean: 0 or 1; numbers: integers and reals; bytea: a blob.
- timestamptz and timestamp: text as SQLAlchemy writes it for SQLite, in UTC, without an offset and
  always with microseconds; date: `YYYY-MM-DD`; uuid: as SQLAlchemy writes it, without hyphens.
- all others, as numeric, json and jsonb: the text that PostgreSQL shows.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from psycopg2 import sql

from app.ops.migrate import packing
from app.ops.migrate.target import Column
from app.ops.migrate.unstorable import Unstorable

Piece = bytes | memoryview
Value = int | float | str | Piece | None
Read = Callable[[Piece], Value]

# A larger value isn't copied on its way, nor made a text of Python's, which may be four times as
# large.
LARGE = 256 * 1024

EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001
INTEGER = struct.Struct(">i")
DOUBLE = struct.Struct(">d")
COUNT = struct.Struct(">h")


@dataclass(frozen=True)
class Way:
    """What is selected for a column {0}, how that is read, and how SQLite is told the value.

    `declared` gives a column made for it SQLite's affinity, which changes no such value.
    """

    declared: str
    read: Read
    select: str = "{0}"
    bind: str = "?"


def _integer(piece: Piece) -> int:
    return int.from_bytes(piece, "big", signed=True)


def _double(piece: Piece) -> float:
    (value,) = DOUBLE.unpack(piece)
    if value != value:
        raise Unstorable("NaN, which SQLite takes for NULL")
    return float(value)


def _text(piece: Piece) -> str | Piece:
    return piece if len(piece) > LARGE else str(piece, "utf-8")


def _moment(piece: Piece) -> str:
    try:
        found = EPOCH + timedelta(microseconds=_integer(piece))
    except OverflowError as error:
        raise Unstorable("an infinite time, or one outside of the years 1 to 9999") from error
    return found.isoformat(" ", "microseconds")


def _day(piece: Piece) -> str:
    try:
        return date.fromordinal(EPOCH.toordinal() + _integer(piece)).isoformat()
    except (OverflowError, ValueError) as error:
        raise Unstorable("an infinite date, or one outside of the years 1 to 9999") from error


def _blob(piece: Piece) -> Piece:
    return piece


_MOMENT = Way("DATETIME", _moment)
# The bytes of a large value are made a text by SQLite itself.
_TEXT = Way("TEXT", _text, "{0}::text", "CAST(? AS TEXT)")
WAYS = {
    "bool": Way("BOOLEAN", _integer),
    "bytea": Way("BLOB", _blob),
    "date": Way("DATE", _day),
    "float4": Way("REAL", _double, "{0}::float8"),
    "float8": Way("DOUBLE", _double),
    "int2": Way("SMALLINT", _integer),
    "int4": Way("INTEGER", _integer),
    "int8": Way("BIGINT", _integer),
    "timestamp": _MOMENT,
    "timestamptz": _MOMENT,
    "uuid": Way("CHAR(32)", _text, "replace({0}::text, '-', '')"),
}


def way(column: Column) -> Way:
    return WAYS.get(column.type, _TEXT)


def selected(columns: Sequence[Column]) -> sql.Composed:
    """The list of a SELECT whose rows `Rows` reads."""
    return sql.SQL(", ").join(
        sql.SQL(way(one).select).format(sql.Identifier(one.name)) for one in columns
    )


class Rows:
    """Reads what COPY ... TO STDOUT (FORMAT binary) sends, whole rows at a time."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [one.name for one in columns]
        self._reads = [way(one).read for one in columns]
        self._began = False

    def read(self, sent: bytes) -> Iterator[list[Value]]:
        """The rows in a message of the server.

        Raises:
            Unstorable: the message begins with the column's name.
        """
        at = 0 if self._began else len(packing.HEADER)
        self._began = True
        while at < len(sent) and not sent.startswith(packing.TRAILER, at):
            row: list[Value] = []
            at = self._row(sent, at + COUNT.size, row)
            yield row

    def _row(self, sent: bytes, at: int, row: list[Value]) -> int:
        """Adds the values of a row; where the next one begins."""
        add, size_at = row.append, INTEGER.unpack_from
        for read in self._reads:
            (size,) = size_at(sent, at)
            at += 4
            if size < 0:
                add(None)
                continue
            end = at + size
            try:
                add(read(sent[at:end] if size <= LARGE else memoryview(sent)[at:end]))
            except Unstorable as error:
                raise Unstorable(f"{self._names[len(row)]}: {error}") from error
            at = end
        return at
