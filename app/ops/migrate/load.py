"""Loads parts of the file's tables, each in one transaction together with the note that it is done.

A part is first tried as a whole: clean rows packed in batches, the others encoded one by one. When
a value turns out to be other than it looked, or the server refuses something, the part is rolled
back and done again with less trust: by way of a table that no check watches, with all rows encoded
one by one, and in the end so that the one row that the server refuses is found.
"""

import hashlib
import sqlite3
import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import packing, quarantine, state, streams, target
from app.ops.migrate.encoding import Ask, encode
from app.ops.migrate.plan import PREFIX, Link, Plan
from app.ops.migrate.quarantine import Key, Refusal
from app.ops.migrate.rows import Part, Reader, Value
from app.ops.migrate.target import Column
from app.ops.migrate.unstorable import Unstorable
from app.ops.migrate.violations import Violations

# Rows that are tried at once where the server refuses some, and the bytes that they may have.
TRIED_ROWS, TRIED_BYTES = 256, 4 << 20
REFUSED = (
    *packing.ODD,
    sqlite3.DataError,
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.InternalError,
)
COPY_HEADER = len(packing.HEADER)
ASIDE = "import_part"
MAKE_ASIDE = """
CREATE TEMP TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY)
ON COMMIT DROP
"""

Row = tuple[int | Key, list[bytes]]


@dataclass
class _Tally:
    read: int = 0
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True)
class Loaded:
    """How many rows of a part were read, and how many of them are in quarantine."""

    read: int
    refused: int


@dataclass(frozen=True)
class Loader:
    """Loads parts over one connection to each side. `asking` is a third, for single values.

    `checks` are the CHECK constraints of the tables.
    """

    plan: Plan
    run: str
    checks: Mapping[str, Sequence[target.Constraint]]
    source: sqlite3.Connection
    database: Connection
    asking: Connection

    def load(self, part: Part) -> Loaded:
        """Raises state.RunIsOver, and psycopg2.OperationalError when the server is gone."""
        reader = Reader(self.source, self.plan.encoding, self.plan.moves[part.move])
        for way in dict.fromkeys((reader.fast, None)):
            try:
                return self._load(part, reader, way)
            except REFUSED:
                self.database.rollback()
            except psycopg2.Error as error:
                # Of some kinds of values the server says so, as of JSON too deep for its stack.
                if self.database.closed or error.pgcode is None or error.pgcode[:2] != "54":
                    raise
                self.database.rollback()
        return self._done(part, self._carefully(part, reader), 0)

    def _load(self, part: Part, reader: Reader, way: packing.Packing | None) -> Loaded:
        try:
            tally = _Tally()
            table = state.name(reader.move.schema, reader.move.table)
            self._copy_part(part, reader, table, way, tally)
            return self._done(part, tally, 0)
        except psycopg2.errors.CheckViolation:
            self.database.rollback()
            tally = _Tally()
            return self._done(part, tally, self._filter(part, reader, way, tally))

    def _done(self, part: Part, tally: _Tally, moved: int) -> Loaded:
        with self.database.cursor() as cursor:
            move = self.plan.moves[part.move]
            quarantine.keep(self.source, self.plan, cursor, move, tally.refusals)
            refused = len(tally.refusals) + moved
            place = (part.move, part.number)
            state.note_part(cursor, self.plan.legacy, self.run, place, tally.read, refused)
        self.database.commit()
        return Loaded(tally.read, refused)

    def _filter(
        self, part: Part, reader: Reader, way: packing.Packing | None, tally: _Tally
    ) -> int:
        """Copies by way of a table without checks; how many rows they don't accept."""
        move = reader.move
        table, aside = state.name(move.schema, move.table), sql.Identifier("pg_temp", ASIDE)
        with self.database.cursor() as cursor:
            cursor.execute(sql.SQL(MAKE_ASIDE).format(sql.Identifier(ASIDE), table))
        self._copy_part(part, reader, aside, way, tally)
        violations = Violations(self.plan, self.source, self.database)
        moved = sum(
            violations.of_check(move, check, aside) for check in self.checks.get(move.table, ())
        )
        with self.database.cursor() as cursor:
            names = state.names([one.name for one in reader.columns])
            fill = sql.SQL("INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}")
            cursor.execute(fill.format(table, names, aside))
        return moved

    def _carefully(self, part: Part, reader: Reader) -> _Tally:
        tally = _Tally()
        waiting: list[Row] = []
        size = 0
        for row in self._encoded(reader.rows(part, None), reader, tally):
            waiting.append(row)
            size += sum(map(len, row[1]))
            if len(waiting) == TRIED_ROWS or size > TRIED_BYTES:
                self._try(reader, waiting, tally)
                waiting, size = [], 0
        self._try(reader, waiting, tally)
        return tally

    def _try(self, reader: Reader, rows: Sequence[Row], tally: _Tally) -> None:
        """Copies rows, each half by itself where the server refuses them, down to a single one."""
        if not rows:
            return
        with self.database.cursor() as cursor:
            cursor.execute("SAVEPOINT tried")
            pieces = [piece for _, row in rows for piece in row]
            try:
                table = state.name(reader.move.schema, reader.move.table)
                self._copy(reader, table, iter([packing.HEADER, *pieces, packing.TRAILER]))
            except psycopg2.Error as error:
                if self.database.closed or error.pgcode is None:
                    raise
                cursor.execute("ROLLBACK TO SAVEPOINT tried")
                if len(rows) == 1:
                    tally.refusals.append(Refusal(rows[0][0], None, _said(error)))
                    return
            else:
                cursor.execute("RELEASE SAVEPOINT tried")
                return
        half = len(rows) // 2
        self._try(reader, rows[:half], tally)
        self._try(reader, rows[half:], tally)

    def _copy_part(
        self,
        part: Part,
        reader: Reader,
        table: sql.Composable,
        way: packing.Packing | None,
        tally: _Tally,
    ) -> None:
        # What the reader has limited is free again whatever happens.
        with closing(self._pieces(part, reader, way, tally)) as pieces:
            self._copy(reader, table, pieces)

    def _copy(self, reader: Reader, table: sql.Composable, pieces: Iterator[bytes]) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            table, state.names([one.name for one in reader.columns])
        )
        with self.database.cursor() as cursor:
            streams.copy(cursor, statement.as_string(cursor), pieces)

    def _pieces(
        self, part: Part, reader: Reader, way: packing.Packing | None, tally: _Tally
    ) -> Generator[bytes]:
        yield packing.HEADER
        odd: list[int] = []
        if way:
            for count, raw in reader.packed(part, way, odd):
                tally.read += count
                yield raw
        # A look at each row only to find that all were clean would cost as much again.
        if not way or odd or reader.count(part) > tally.read:
            for _, row in self._encoded(reader.rows(part, way, odd), reader, tally):
                yield from row
        yield packing.TRAILER

    def _encoded(
        self,
        found: Iterator[tuple[int | Key, list[Value]]],
        reader: Reader,
        tally: _Tally,
    ) -> Iterator[Row]:
        """A value that can't be stored is noted in the tally."""
        ask = self._ask
        columns = reader.columns
        links = reader.move.links
        header = struct.pack(">h", len(columns))
        for key, values in found:
            tally.read += 1
            try:
                yield key, [header, *fields(links, columns, values, ask)]
            except Refused as refused:
                tally.refusals.append(Refusal(key, refused.column, refused.reason))

    @property
    def _ask(self) -> Ask:
        def ask(column: Column, text: str) -> tuple[bytes, str]:
            # A value that is refused ends the transaction that asked.
            with self.asking, self.asking.cursor() as cursor:
                return of_server(cursor, column, text)

        return ask


class Refused(Exception):
    """A row, for a value that its column can't hold."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


def fields(
    links: Sequence[Link], columns: Sequence[Column], values: Sequence[Value], ask: Ask
) -> Iterator[bytes]:
    """A row of COPY without its header, in pieces. Raises Refused."""
    for at, (column, value) in enumerate(zip(columns, values, strict=True)):
        link = links[at] if at < len(links) else None
        try:
            raw = encode(_derived(link, value), column, ask)
        except Unstorable as error:
            raise Refused(link.source if link else column.name, str(error)) from error
        yield packing.NULL if raw is None else struct.pack(">i", len(raw))
        if raw:
            yield raw


def _derived(link: Link | None, value: Value) -> Value:
    if link is None or not link.derivation or value is None:
        return value
    if not isinstance(value, str):
        raise Unstorable("not a text")
    if link.derivation == "prefix":
        return value[:PREFIX]
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()


def of_server(cursor: Cursor, column: Column, text: str) -> tuple[bytes, str]:
    """A value of a type that only the server knows: its binary form, and how it is shown."""
    kind = sql.SQL(column.declared) if column.declared else sql.Identifier(column.type)
    made = sql.SQL("{}::{}").format(sql.Literal(text), kind)
    try:
        # Not as ::text, which is something else for inet.
        cursor.execute(sql.SQL("SELECT concat({})").format(made))
        ((shown,),) = cursor.fetchall()
        file = streams.Gathered()
        statement = sql.SQL("COPY (SELECT {}) TO STDOUT (FORMAT binary)").format(made)
        cursor.copy_expert(statement.as_string(cursor), file)
    except psycopg2.DataError as error:
        raise Unstorable(_said(error)) from error
    # One row of one value: the count of values, its length, and then it.
    raw = file.raw[COPY_HEADER + 6 : -len(packing.TRAILER)]
    return raw, shown


def _said(error: psycopg2.Error) -> str:
    """The server's sentence, without what it quotes of the row."""
    return f"PostgreSQL refuses it: {error.diag.message_primary or error}"
