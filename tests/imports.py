"""Imports of files that a test has made, into a database that it has prepared."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from app.ops.migrate import connections, importing
from app.ops.migrate.importing import Options
from app.ops.migrate.progress import Silence
from app.ops.migrate.results import Report
from tests import databases, sources
from tests.servers import Servers

Rows = list[tuple[Any, ...]]

REFUSED = """
SELECT coalesce(source_rowid::text, source_key::text), column_name, reason
FROM legacy.import_quarantine WHERE source_table = %s
ORDER BY source_rowid, source_key::text COLLATE "C", id
"""
RAW = """
SELECT coalesce(source_rowid::text, source_key::text), v.column_name, type, value
FROM legacy.import_quarantine q JOIN legacy.import_quarantine_values v ON v.quarantine_id = q.id
WHERE source_table = %s ORDER BY source_rowid, source_key::text COLLATE "C", q.id, v.column_name
"""


@dataclass(frozen=True)
class No:
    """The reason for which a value is in quarantine."""

    reason: str


# Values of a column of the file, and what the server shows for each.
Cases = list[tuple[Any, str | No | None]]


def expected(cases: Cases) -> Rows:
    return [(at, one) for at, (_, one) in enumerate(cases) if not isinstance(one, No)]


def refusals(cases: Cases) -> Rows:
    return [(str(at), "a", one.reason) for at, (_, one) in enumerate(cases) if isinstance(one, No)]


@dataclass
class Import:
    """A file, a database with a schema, and what an import of the one into the other said."""

    options: Options
    connection: Connection
    report: Report | None = None

    def on_server(self, *statements: str) -> None:
        """As the owner of the tables."""
        for statement in statements:
            self._execute(statement)

    def on_file(self, *statements: str) -> None:
        sources.make(self.options.source, *statements)

    def put(self, table: str, *rows: Sequence[Any]) -> None:
        sources.put(self.options.source, table, *rows)

    def one_column(self, cases: Mapping[str, Cases]) -> None:
        """On either side a table for each type, `of TYPE`; the file's column has no type."""
        for kind, values in cases.items():
            self.on_server(f'CREATE TABLE "of {kind}" (id int8 PRIMARY KEY, a {kind})')
            self.on_file(f'CREATE TABLE "of {kind}" (id INTEGER PRIMARY KEY, a)')
            self.put(f"of {kind}", *enumerate(value for value, _ in values))

    def run(self, **changes: Any) -> Report:
        """Imports with some options changed."""
        self.report = importing.run(replace(self.options, **changes), Silence())
        return self.report

    def said(self) -> Report:
        assert self.report
        return self.report

    def rows(self, table: str, schema: str = "public", order: str = "1") -> Rows:
        """All rows of a table, blobs as bytes, in the order of its first column or another one."""
        statement = sql.SQL("SELECT * FROM {} ORDER BY {}")
        return self.select(statement.format(sql.Identifier(schema, table), sql.SQL(order)))

    def stored(self, kind: str) -> Rows:
        """The rows of a table of `one_column`, as the server shows them."""
        return self.select(f'SELECT id, a::text FROM "of {kind}" ORDER BY id')

    def select(self, statement: str | sql.Composable, values: Sequence[Any] | None = None) -> Rows:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(statement, values)
            return [tuple(map(_plain, row)) for row in cursor.fetchall()]

    def refused(self, table: str) -> Rows:
        """What is in quarantine of a table of the file: rowid or key, column, reason."""
        return self.select(REFUSED, (table,))

    def raw(self, table: str) -> Rows:
        """The values in quarantine of a table of the file: rowid or key, column, type, bytes."""
        return self.select(RAW, (table,))

    def _execute(self, statement: str) -> None:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(statement)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@contextmanager
def prepared(servers: Servers, folder: Path) -> Iterator[Import]:
    """An empty database, and the name of a file in the folder that isn't there yet."""
    with databases.on_server(servers, databases.BARE) as name:
        settings = databases.settings_of(servers, name)
        options = Options(
            source=folder / "old.db",
            dsn=connections.dsn(settings),
            shown=connections.shown(settings),
            jobs=1,
        )
        connection = psycopg2.connect(options.dsn, application_name="test")
        connection.autocommit = True
        try:
            yield Import(options, connection)
        finally:
            connection.close()
