"""Rows in quarantine that were repaired, or whose reason is gone, are put where they belong."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import alone, connections, keeping, packing, quarantine, state, streams, target
from app.ops.migrate.load import Refused, fields, of_server
from app.ops.migrate.plan import LEGACY, Link
from app.ops.migrate.plans import Rules
from app.ops.migrate.results import QuarantinedRow
from app.ops.migrate.rows import Value
from app.ops.migrate.source import text
from app.ops.migrate.target import Column

ROWS = """
SELECT id, source_table, target_schema, target_table
FROM {legacy}.import_quarantine ORDER BY id
"""
VALUES = """
SELECT column_name, type, value FROM {legacy}.import_quarantine_values WHERE quarantine_id = %s
"""
REASON = "UPDATE {legacy}.import_quarantine SET column_name = %s, reason = %s WHERE id = %s"
DELETE = """
WITH gone AS (DELETE FROM {legacy}.import_quarantine_values WHERE quarantine_id = %s)
DELETE FROM {legacy}.import_quarantine WHERE id = %s
"""


@dataclass(frozen=True)
class Retried:
    """`left` are the first of those that are still refused, with their reasons of now."""

    put_back: int
    left: tuple[QuarantinedRow, ...]
    left_total: int


def retry(dsn: str, rules: Rules) -> Retried:
    """Tries each row in quarantine again, parents before those that wait for them.

    Each that fits is committed by itself.

    Raises:
        AppError: the database can't be used, or an import is under way.
    """
    with connections.explained(), connections.opened(dsn, ("public",)) as connection:
        alone.require(connection)
        with connection, connection.cursor() as cursor:
            state.require_finished(cursor)
            if not quarantine.exists(cursor, LEGACY):
                return Retried(0, (), 0)
        with connections.opened(dsn, ("public",)) as asking:
            # A value that is refused shall not spoil what comes after it.
            asking.autocommit = True
            return _Retry(connection, asking, rules).run()


class _Retry:
    """`asking` is another connection than the one that rows go over."""

    def __init__(self, connection: Connection, asking: Connection, rules: Rules) -> None:
        self._connection = connection
        self._asking = asking
        self._rules = rules
        self._catalogues: dict[str, target.Catalogue] = {}

    def run(self) -> Retried:
        put_back = 0
        # One that was put back may be the parent of another.
        while moved := sum(self._try(*row) for row in self._rows()):
            put_back += moved
        with self._connection, self._connection.cursor() as cursor:
            left = quarantine.first(cursor, LEGACY)
            return Retried(put_back, left, quarantine.count(cursor, LEGACY))

    def _rows(self) -> Sequence[tuple[Any, ...]]:
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(state.at(LEGACY, ROWS))
            return cursor.fetchall()

    def _try(self, number: int, source: str, schema: str, table: str) -> bool:
        try:
            with self._connection, self._connection.cursor() as cursor:
                self._insert(cursor, number, source, schema, table)
                cursor.execute(state.at(LEGACY, DELETE), (number, number))
                return True
        except Refused as refused:
            column, reason = refused.column, refused.reason
        except (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.InternalError) as error:
            column, reason = None, f"PostgreSQL refuses it: {error.diag.message_primary}"
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(state.at(LEGACY, REASON), (column, reason, number))
        return False

    def _insert(self, cursor: Cursor, number: int, source: str, schema: str, table: str) -> None:
        values = self._values(cursor, number)
        links = self._links(cursor, source, schema, table, values)
        given = [values[link.source] for link in links]
        columns = [link.column for link in links]
        if schema != LEGACY:
            for column, value in self._defaults(cursor, table, columns):
                columns.append(column)
                given.append(value)
        with self._asking.cursor() as asked:
            row = list(
                fields(links, columns, given, lambda *value: of_server(asked, *value)),
            )
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            state.name(schema, table), state.names([column.name for column in columns])
        )
        header = struct.pack(">h", len(columns))
        pieces = iter([packing.HEADER, header, *row, packing.TRAILER])
        streams.copy(cursor, statement.as_string(cursor), pieces)

    def _values(self, cursor: Cursor, number: int) -> dict[str, Value]:
        cursor.execute(state.at(LEGACY, VALUES), (number,))
        found = {}
        for name, kind, value in cursor.fetchall():
            try:
                found[name] = _value(kind, value)
            except ValueError as error:
                raise Refused(name, f"its value in quarantine is no {kind}") from error
        return found

    def _links(
        self, cursor: Cursor, source: str, schema: str, table: str, values: dict[str, Value]
    ) -> list[Link]:
        columns = self._columns(cursor, schema, table)
        links = []
        for name in values:
            made = self._rules.derivations.get((source, name), ())
            same = _same(name, columns)
            if same and not same.is_generated:
                links.append(Link(name, same))
            elif schema != LEGACY:
                links += [Link(name, columns[to], how) for to, how in made if to in columns]
        return links

    def _defaults(
        self, cursor: Cursor, table: str, given: Sequence[Column]
    ) -> list[tuple[Column, Value]]:
        """Of columns that must have a value, and that files from before them lack."""
        columns = self._columns(cursor, "public", table)
        names = {one.name for one in given}
        found = []
        for (of_table, name), expression in self._rules.defaults.items():
            if of_table == table and name in columns and name not in names:
                cursor.execute(f"SELECT ({expression})::text")
                ((value,),) = cursor.fetchall()
                found.append((columns[name], value))
        return found

    def _columns(self, cursor: Cursor, schema: str, table: str) -> dict[str, Column]:
        if schema not in self._catalogues:
            self._catalogues[schema] = target.catalogue(cursor, schema)
        found = self._catalogues[schema].tables.get(table)
        return {one.name: one for one in found.columns} if found else {}


def _same(name: str, columns: dict[str, Column]) -> Column | None:
    short = keeping.short(name, set())
    alike = [one for one in columns if one.lower() == name.lower()]
    chosen = name if name in columns else alike[0] if len(alike) == 1 else short
    return columns.get(chosen)


def _value(kind: str, value: memoryview | None) -> Value:
    if value is None or kind == "null":
        return None
    raw = bytes(value)
    if kind == "integer":
        return int(raw)
    if kind == "real":
        return float(raw)
    return text(raw) if kind == "text" else raw
