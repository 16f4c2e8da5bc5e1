"""Copies rows from PostgreSQL into a SQLite file."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.db.sqlite import files, meanings
from app.ops.migrate import export_tables, export_values
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.export_tables import Copy, Unexportable
from app.ops.migrate.unstorable import Unstorable

BATCH_ROWS = 2_000
BATCH_BYTES = 4 * files.MB


@dataclass(frozen=True)
class Written:
    """A table of the file, where its rows come from, and how many there are."""

    name: str
    schema: str
    table: str
    rows: int


def write(cursor: Cursor, new: sqlite3.Connection, remarks: list[str]) -> list[Written]:
    """Writes every table of a snapshot into a file that has the models' tables.

    Args:
        cursor: is in the snapshot.
        new: the file, empty and with a transaction begun.
        remarks: gets a sentence for what could not be made and isn't a row.

    Raises:
        Unexportable: see `export_tables.plan`, or SQLite refuses a row.
        Unstorable: the message begins with the place of the value.
    """
    copies = export_tables.plan(cursor, new)
    written = []
    for one in copies:
        rows = _copy(cursor, new, one)
        written.append(Written(one.name, one.schema, one.table.name, rows))
    for one in copies:
        _index(new, one, remarks)
        _number(cursor, new, one)
    new.execute("ANALYZE")
    return written


def _copy(cursor: Cursor, new: sqlite3.Connection, copy: Copy) -> int:
    columns = copy.table.columns
    binds = ", ".join(export_values.way(column).bind for column in columns)
    names = ", ".join(quoted(column.name) for column in columns)
    insert = f"INSERT INTO {quoted(copy.name)} ({names}) VALUES ({binds})"  # noqa: S608
    table = sql.Identifier(copy.schema, copy.table.name)
    statement = sql.SQL("SELECT {} FROM {}").format(export_values.selected(columns), table)
    if copy.table.primary_key:
        # In this order SQLite only ever adds at the end.
        key = sql.SQL(", ").join(map(sql.Identifier, copy.table.primary_key))
        statement = sql.SQL("{} ORDER BY {}").format(statement, key)
    taker = _Taker(export_values.Rows(columns), lambda rows: new.executemany(insert, rows))
    try:
        cursor.copy_expert(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(statement), taker)
        taker.flush()
    except Unstorable as error:
        raise Unstorable(f"the value of {copy.schema}.{copy.table.name}.{error}") from error
    except sqlite3.IntegrityError as error:
        raise Unexportable(
            f"a row of {copy.schema}.{copy.table.name} is refused by SQLite: {error}"
        ) from error
    return taker.rows


class _Taker:
    """Takes what COPY sends, as a file, and hands on rows by the batch."""

    def __init__(self, reader: export_values.Rows, store: Callable[[list[Any]], object]) -> None:
        self._reader = reader
        self._store = store
        self._batch: list[list[export_values.Value]] = []
        self._bytes = 0
        self.rows = 0

    def write(self, sent: bytes) -> int:
        self._batch += self._reader.read(sent)
        self._bytes += len(sent)
        if self._bytes >= BATCH_BYTES or len(self._batch) >= BATCH_ROWS:
            self.flush()
        return len(sent)

    def flush(self) -> None:
        self._store(self._batch)
        self.rows += len(self._batch)
        self._batch = []
        self._bytes = 0


def _index(new: sqlite3.Connection, copy: Copy, remarks: list[str]) -> None:
    for statement in copy.indexes:
        try:
            new.execute(statement)
        except (sqlite3.OperationalError, sqlite3.IntegrityError) as error:
            if copy.is_models or meanings.code(error) == sqlite3.SQLITE_FULL:
                raise
            remarks.append(f"an index of {copy.name} could not be made ({error}): {statement}")


def _number(cursor: Cursor, new: sqlite3.Connection, copy: Copy) -> None:
    """Lets the next id be one that was never given out, where the file's table keeps count."""
    for sequence in copy.table.sequences:
        name = sql.Identifier(sequence.schema, sequence.name)
        cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(name))
        ((last, is_called),) = cursor.fetchall()
        given = last if is_called else last - sequence.increment
        statement = "SELECT instr(upper(sql), 'AUTOINCREMENT') FROM sqlite_schema WHERE name = ?"
        (counts,) = new.execute(statement, (copy.name,)).fetchone()
        if not counts or given < 1:
            continue
        statement = "SELECT max(seq) FROM sqlite_sequence WHERE name = ?"
        (there,) = new.execute(statement, (copy.name,)).fetchone()
        new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (copy.name,))
        highest = max(given, there or 0)
        new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (copy.name, highest))
