"""How the rows of one move are read from the file: whole ranges that are clean, or one by one."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.ops.migrate import packing, source
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import MARK, Move
from app.ops.migrate.quarantine import Key
from app.ops.migrate.target import Column

# Rows are fetched in batches that come to about this many bytes.
BATCH = 1 << 20
FEWEST, MOST = 8, 500
MARK_COLUMN = Column(MARK, "int8", nullable=True)

Value = int | float | str | bytes | None


@dataclass(frozen=True)
class Part:
    """A range of a move's rows by rowid, both ends in it; the whole of it without one."""

    move: int
    number: int
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Reader:
    """Reads one move's rows from a connection that nobody else reads from meanwhile."""

    connection: sqlite3.Connection
    encoding: str
    move: Move

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those that get values, in the order in which rows have them."""
        mark = (MARK_COLUMN,) if self.move.is_marked else ()
        return (*(link.column for link in self.move.links), *mark)

    @cached_property
    def fast(self) -> packing.Packing | None:
        """The fast way, or None where there is none for this table."""
        move = self.move
        if self.encoding != "UTF-8" or (move.is_marked and not move.rowid):
            return None
        if not all(packing.can_pack(link.column) and not link.derivation for link in move.links):
            return None
        columns = [(link.source, link.column) for link in move.links]
        if move.is_marked and move.rowid:
            columns.append((move.rowid, MARK_COLUMN))
        return packing.of(columns, {*move.source_key, str(move.rowid)})

    def count(self, part: Part) -> int:
        where, parameters = _range(self.move, part)
        statement = f"SELECT count(*) FROM {quoted(self.move.source)} NOT INDEXED WHERE {where}"  # noqa: S608
        (found,) = self.connection.execute(statement, parameters).fetchone()
        return int(found)

    def packed(
        self, part: Part, way: packing.Packing, odd: list[int]
    ) -> Iterator[tuple[int, bytes]]:
        """The clean rows: how many, and their bytes.

        Args:
            part: which rows.
            way: `fast`.
            odd: gets the rowids of rows that turn out not to be clean.

        Raises:
            packing.ODD: one isn't, and the table has no rowids.
            sqlite3.DataError: one is too large to be fetched along with others.
        """
        self.connection.text_factory = bytes
        with _limited(self.connection):
            yield from self._packed(part, way, odd)

    def _packed(
        self, part: Part, way: packing.Packing, odd: list[int]
    ) -> Iterator[tuple[int, bytes]]:
        where, parameters = _range(self.move, part)
        identity = quoted(self.move.rowid) if self.move.rowid else "NULL"
        cursor = self.connection.execute(
            f"SELECT {way.select}, {identity} FROM {quoted(self.move.source)} NOT INDEXED"  # noqa: S608
            f" WHERE {where} AND NOT {way.refused}",
            parameters,
        )
        count = FEWEST
        while rows := cursor.fetchmany(count):
            before = len(odd)
            try:
                raw = way.pack(rows)
            except packing.ODD:
                if not self.move.rowid:
                    raise
                raw = b"".join(_each(way, rows, odd))
            yield len(rows) - len(odd) + before, raw
            fits = max(BATCH * len(rows) // max(len(raw), 1), FEWEST)
            count = min(fits, count * 4, MOST)

    def rows(
        self, part: Part, way: packing.Packing | None, odd: Sequence[int] = ()
    ) -> Iterator[tuple[int | Key, list[Value]]]:
        """Rows one by one, each with its rowid or primary key.

        Args:
            part: which rows.
            way: only rows that it refuses; None for all.
            odd: the rowids of others.
        """
        where, parameters = _range(self.move, part)
        yield from self._rows(f"{where} AND {way.refused}" if way else where, parameters)
        for at in range(0, len(odd), MOST):
            chosen = odd[at : at + MOST]
            marks = ", ".join("?" * len(chosen))
            yield from self._rows(f"{quoted(str(self.move.rowid))} IN ({marks})", chosen)

    def _rows(
        self, where: str, parameters: Sequence[int]
    ) -> Iterator[tuple[int | Key, list[Value]]]:
        identity = [self.move.rowid] if self.move.rowid else list(self.move.source_key)
        order = ", ".join(map(quoted, identity))
        read = self._expression
        selected = [read(quoted(one)) for one in identity if one]
        selected += [read(quoted(link.source)) for link in self.move.links]
        kinds = self._kinds([*map(quoted, map(str, identity))])
        cursor = self.connection.execute(
            f"SELECT {', '.join(selected + kinds)} FROM {quoted(self.move.source)} NOT INDEXED"  # noqa: S608
            f" WHERE {where} ORDER BY {order}",
            parameters,
        )
        for number, row in enumerate(self._decoded(cursor, len(selected)), start=1):
            values = row[len(identity) :]
            key: int | Key = row[0] if self.move.rowid else tuple(row[: len(identity)])
            if self.move.is_marked:
                values.append(key if isinstance(key, int) else number)
            yield key, values

    def _expression(self, name: str) -> str:
        if self.encoding == "UTF-8":
            return name
        return f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"

    def _kinds(self, identity: list[str]) -> list[str]:
        """Which of the values are texts, where they are read as blobs."""
        if self.encoding == "UTF-8":
            return []
        names = [*identity, *(quoted(link.source) for link in self.move.links)]
        return [f"typeof({name}) = 'text'" for name in names]

    def _decoded(self, cursor: sqlite3.Cursor, width: int) -> Iterator[list[Any]]:
        while True:
            self.connection.text_factory = source.text
            row = cursor.fetchone()
            if row is None:
                return
            if self.encoding == "UTF-8":
                yield list(row)
            else:
                pairs = zip(row[:width], row[width:], strict=True)
                yield [
                    source.decoded(value, self.encoding) if is_text else value
                    for value, is_text in pairs
                ]


@contextmanager
def _limited(connection: sqlite3.Connection) -> Iterator[None]:
    before = connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, packing.LARGEST_ROW)
    try:
        yield
    finally:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)


def _each(way: packing.Packing, rows: Sequence[Any], odd: list[int]) -> Iterator[bytes]:
    for row in rows:
        try:
            yield way.pack([row])
        except packing.ODD:
            odd.append(row[-1])


def _range(move: Move, part: Part) -> tuple[str, Sequence[int]]:
    if part.first is None or part.last is None or not move.rowid:
        return "1", ()
    return f"{quoted(move.rowid)} BETWEEN ? AND ?", (part.first, part.last)


def parts(connection: sqlite3.Connection, number: int, move: Move, rows: int) -> list[Part]:
    """A move's rows in ranges of about as many rows.

    Args:
        connection: to the file.
        number: the move's place in the plan.
        move: whose rows.
        rows: how many a part should have.
    """
    if not move.rowid or move.rows <= rows:
        return [Part(number, 0)] if move.rows else []
    table, rowid = quoted(move.source), quoted(move.rowid)
    least, most = connection.execute(f"SELECT min({rowid}), max({rowid}) FROM {table}").fetchone()  # noqa: S608
    ends = [most]
    if most - least < 4 * move.rows:
        step = -(-rows * (most - least + 1) // move.rows)
        ends = [*range(least + step - 1, most, step), most]
    else:
        statement = f"SELECT {rowid} FROM {table} ORDER BY {rowid}"  # noqa: S608
        ids = [one for (one,) in connection.execute(statement)]
        ends = [*ids[rows - 1 : -1 : rows], most]
    firsts = [least, *(end + 1 for end in ends[:-1])]
    pairs = zip(firsts, ends, strict=True)
    return [Part(number, at, first, last) for at, (first, last) in enumerate(pairs)]
