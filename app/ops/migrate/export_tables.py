"""Which tables of PostgreSQL become which tables of a SQLite file, and how they are made there."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.db import registry
from app.errors import Conflict
from app.ops.migrate import export_references, export_values, target
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import LEGACY
from app.ops.migrate.target import Table

# Made anew by the service; the file has its own version of the schema; imports are told of where
# they went to.
REMADE = frozenset({"alembic_version", "diagram_texts", "import_reports"})
CREATES_TABLE = re.compile(r"CREATE\s+TABLE\b", re.IGNORECASE)
CREATES_INDEX = re.compile(r"CREATE\s+(UNIQUE\s+)?INDEX\b", re.IGNORECASE)

COMMENTS = """
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s
"""


class Unexportable(Conflict):
    """This can't be written to a SQLite file."""


@dataclass(frozen=True)
class Copy:
    """A table of PostgreSQL and the table of the file that takes its rows.

    `indexes` are statements for after the rows.
    """

    schema: str
    table: Table
    name: str
    indexes: tuple[str, ...] = ()
    is_models: bool = False


def plan(cursor: Cursor, file: sqlite3.Connection) -> list[Copy]:
    """What to copy, in the order of references; makes the tables that the file lacks.

    Tables of the models keep their names. What an import kept in schema `legacy`, and whatever else
    is in `public`, gets its own name, and is made by the statement that it once was made by where
    its comment has that. Columns that an import kept, the tables of the quarantine, and what can't
    have its own name are called `legacy.NAME`, by which the next import knows them.

    Raises:
        Unexportable: a table of the models has other columns here, or a name is taken.
    """
    public = target.catalogue(cursor)
    made = list(_of_models(public, file))
    others = [(public, name) for name in public.tables if name not in registry.metadata.tables]
    cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", (LEGACY,))
    comments: dict[str, str | None] = {}
    if cursor.fetchone() == (True,):
        legacy = target.catalogue(cursor, LEGACY)
        cursor.execute(COMMENTS, (LEGACY,))
        comments = dict(cursor.fetchall())
        others += [(legacy, name) for group in target.in_load_order(legacy) for name in group]
    for found, name in others:
        if name not in REMADE:
            comment = comments.get(name) if found.schema == LEGACY else None
            made.append(_keep(file, found.schema, found.tables[name], comment or ""))
    return made


def _of_models(found: target.Catalogue, file: sqlite3.Connection) -> Iterator[Copy]:
    for name in chain.from_iterable(target.in_load_order(found)):
        if name in REMADE or name not in registry.metadata.tables:
            continue
        table = found.tables[name]
        here = {column.name for column in table.columns}
        if here != (there := set(_columns(file, name))):
            raise Unexportable(
                f"the table {name} has other columns than this release's: "
                f"{', '.join(sorted(here ^ there))}"
            )
        yield Copy(found.schema, table, name, tuple(_without_indexes(file, name)), is_models=True)


def _without_indexes(file: sqlite3.Connection, table: str) -> Iterator[str]:
    """Drops the indexes of an empty table, which are sooner made of all rows at once."""
    statement = (
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?"
        " AND sql IS NOT NULL ORDER BY rowid"
    )
    for name, sql in file.execute(statement, (table,)).fetchall():
        file.execute(f"DROP INDEX {quoted(name)}")
        yield sql


def _keep(file: sqlite3.Connection, schema: str, table: Table, comment: str) -> Copy:
    is_part = comment.startswith("-- ") or table.name.startswith("import_")
    if CREATES_TABLE.match(comment):
        create, *indexes = _statements(comment)
        name = _revived(file, create, table)
        if name is not None:
            wanted = (one for one in indexes if CREATES_INDEX.match(one))
            return Copy(schema, table, name, tuple(wanted))
    name = _name(file, schema, table.name, is_part=schema == LEGACY and is_part)
    file.execute(_plain(name, table))
    return Copy(schema, table, name)


def _statements(comment: str) -> Iterator[str]:
    """They are separated by a semicolon and a line's end, which may be in a text as well."""
    begun = ""
    for piece in comment.split(";\n"):
        begun = f"{begun};\n{piece}" if begun else piece
        # A last line may be a comment.
        if sqlite3.complete_statement(f"{begun}\n;"):
            yield begun
            begun = ""
    if begun:
        yield begun


def _revived(file: sqlite3.Connection, create: str, table: Table) -> str | None:
    """The name of the table that the statement makes; None where it can't take these rows."""
    before = _tables(file)
    try:
        file.execute(export_references.without(create))
    except (sqlite3.Error, sqlite3.Warning):
        return None
    (name,) = _tables(file) - before
    if _takes(file, name, {column.name for column in table.columns}):
        return name
    file.execute(f"DROP TABLE {quoted(name)}")
    return None


def _takes(file: sqlite3.Connection, name: str, columns: set[str]) -> bool:
    """Whether rows with these columns can be inserted."""
    try:
        # Fails where a collation or function is missing that only the old file's program has.
        file.execute(f"EXPLAIN INSERT INTO {quoted(name)} DEFAULT VALUES")
    except sqlite3.Error:
        return False
    return set(_columns(file, name)) == columns


def _name(file: sqlite3.Connection, schema: str, table: str, *, is_part: bool) -> str:
    taken = {name.lower() for name in _tables(file)}
    if not is_part and table.lower() not in taken and not table.lower().startswith("sqlite_"):
        return table
    name = f"{LEGACY}.{table}"
    if name.lower() in taken:
        raise Unexportable(f"{schema}.{table} can't be written: {name} is taken by another table")
    return name


def _plain(name: str, table: Table) -> str:
    parts = [
        f"{quoted(column.name)} {export_values.way(column).declared}"
        + ("" if column.nullable else " NOT NULL")
        for column in table.columns
    ]
    if table.primary_key:
        parts.append(f"PRIMARY KEY ({', '.join(map(quoted, table.primary_key))})")
    return f"CREATE TABLE {quoted(name)} ({', '.join(parts)})"


def _tables(file: sqlite3.Connection) -> set[str]:
    statement = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    # SQLite makes this one together with the first that needs it.
    return {name for (name,) in file.execute(statement)} - {"sqlite_sequence"}


def _columns(file: sqlite3.Connection, table: str) -> Sequence[str]:
    """Those that take values: table_info leaves out the generated ones."""
    return [row[1] for row in file.execute(f"PRAGMA table_info({quoted(table)})")]
