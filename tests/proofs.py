"""A SQLite file and a database that are proved to hold the same."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from app.ops.migrate import target, verify
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import LEGACY, Link, Move, Plan
from app.ops.migrate.results import Proof
from tests import databases
from tests.servers import HOST, Servers

Rows = list[tuple[Any, ...]]


@dataclass
class Sides:
    """A file and a database, which a test fills as it likes."""

    file: Path
    connection: Connection
    connect: Callable[[], Connection]
    saved: target.Catalogue | None = None
    encoding: str = "UTF-8"

    def on_file(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def put(self, table: str, rows: Rows) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for row in rows:
                marks = ", ".join("?" for _ in row)
                connection.execute(f"INSERT INTO {quoted(table)} VALUES ({marks})", row)

    def on_server(self, statement: str, values: Any = None) -> None:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(statement, values)

    def store(self, table: str, rows: Rows) -> None:
        for row in rows:
            marks = ", ".join("%s" for _ in row)
            self.on_server(f"INSERT INTO {quoted(table)} VALUES ({marks})", row)

    def catalogue(self) -> target.Catalogue:
        with closing(self.connection.cursor()) as cursor:
            return target.catalogue(cursor)

    def plan(self) -> Plan:
        """Each table to the one of its name, column by column."""
        found = self.saved or self.catalogue()
        with closing(sqlite3.connect(self.file)) as connection:
            names = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            ).fetchall()
            moves = [_move(connection, name, found.tables[name]) for (name,) in names]
        return Plan(self.encoding, tuple(moves), (), LEGACY)

    def prove(self, plan: Plan | None = None, jobs: int = 1) -> Proof:
        saved = self.saved or self.catalogue()
        return verify.verify(plan or self.plan(), self.file, self.connect, jobs=jobs, saved=saved)


def _move(connection: sqlite3.Connection, name: str, table: target.Table) -> Move:
    found = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
    ((without,),) = connection.execute(
        "SELECT wr FROM pragma_table_list WHERE name = ?", [name]
    ).fetchall()
    columns = {one.name: one for one in table.columns}
    links = tuple(Link(row[1], columns[row[1]]) for row in found)
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()
    return Move(
        source=name,
        schema="public",
        table=name,
        links=links,
        rowid=None if without else "rowid",
        source_key=tuple(row[1] for row in sorted(found, key=lambda row: row[5]) if row[5]),
        key=tuple(link for link in links if link.column.name in table.primary_key),
        rows=rows,
    )


@pytest.fixture
def sides(servers: Servers, tmp_path: Path) -> Iterator[Sides]:
    with (
        databases.on_server(servers, databases.BARE) as name,
        databases.superuser(servers, name) as connection,
    ):

        def connect() -> Connection:
            return psycopg2.connect(
                host=HOST,
                port=servers.postgres_port,
                user="postgres",
                password=servers.superuser_password,
                dbname=name,
            )

        yield Sides(tmp_path / "old.db", connection, connect)


def one_column(sides: Sides, type_name: str, values: list[tuple[Any, Any]]) -> None:
    """Rows with a key and a value, as the file has it and as the server has it."""
    sides.on_file("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    sides.on_server(f"CREATE TABLE t (id int8 PRIMARY KEY, a {type_name})")
    sides.put("t", [(at, mine) for at, (mine, _) in enumerate(values)])
    sides.store("t", [(at, theirs) for at, (_, theirs) in enumerate(values)])


def people(sides: Sides, *names: str) -> None:
    """The same rows on both sides, numbered from 1."""
    sides.on_file("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT)")
    sides.on_server("CREATE TABLE t (id serial PRIMARY KEY, a text DEFAULT 'none')")
    sides.put("t", list(enumerate(names, 1)))
    sides.store("t", list(enumerate(names, 1)))
    sides.on_server("SELECT setval('t_id_seq', %s, false)", [len(names) + 1])


def different(proof: Proof) -> list[str]:
    """The columns that differ, after the name of each table whose count does."""
    assert not proof.is_equal
    assert proof.problems
    found = []
    for table in proof.tables:
        found += [] if table.rows.is_equal else [table.source]
        found += [f"{table.source}.{one.target}" for one in table.columns if not one.is_equal]
    return found
