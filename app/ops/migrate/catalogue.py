"""What is in a SQLite file: its tables with all that belongs to them, and what holds no rows."""

import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Literal

Affinity = Literal["INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"]
# The last two are generated from the others.
ColumnKind = Literal["plain", "hidden", "virtual", "stored"]
OtherKind = Literal["view", "trigger", "virtual", "shadow"]


@dataclass(frozen=True)
class Column:
    """`key` is the place in the primary key from 1, or 0; `collation` None where unknown."""

    name: str
    declared: str
    affinity: Affinity
    not_null: bool
    default: str | None
    key: int
    kind: ColumnKind
    collation: str | None


@dataclass(frozen=True)
class IndexColumn:
    """`name` is None for an expression, which only the index's `sql` has, and "rowid" for it."""

    name: str | None
    collation: str
    descending: bool


@dataclass(frozen=True)
class Index:
    """`origin` tells what made it: a statement, a UNIQUE constraint, or the primary key."""

    name: str
    columns: tuple[IndexColumn, ...]
    unique: bool
    origin: Literal["index", "unique", "key"]
    where: str | None
    sql: str | None


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table and those of the parent that they refer to, which may be missing."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_update: str
    on_delete: str


@dataclass(frozen=True)
class Table:
    """`rowid` is a name by which rows can be addressed, None without any.

    `sequence` is the highest id ever given out by AUTOINCREMENT, None before the first row.
    """

    name: str
    columns: tuple[Column, ...]
    rowid: str | None
    without_rowid: bool
    strict: bool
    autoincrement: bool
    sequence: int | None
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...]
    sql: str

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key's columns in its order."""
        of_key = sorted((one.key, one.name) for one in self.columns if one.key)
        return tuple(name for _, name in of_key)

    @property
    def plain(self) -> tuple[Column, ...]:
        """The columns that are not generated from others."""
        return tuple(one for one in self.columns if one.kind == "plain")


@dataclass(frozen=True)
class Other:
    """What is no table; `table` is what a trigger or shadow belongs to.

    `keeps_rows` marks a virtual table that isn't just an index of other tables' rows: its own are
    in the shadows, and nowhere else.
    """

    name: str
    kind: OtherKind
    table: str | None
    sql: str
    keeps_rows: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All of a file, by name; SQLite's own tables are left out."""

    encoding: str
    tables: tuple[Table, ...]
    others: tuple[Other, ...]

    def table(self, name: str) -> Table | None:
        return next((one for one in self.tables if one.name == name), None)

    def counts(self) -> dict[str, int]:
        """How many tables there are, and how many of each other kind."""
        return {"table": len(self.tables), **Counter(one.kind for one in self.others)}


def quoted(name: str) -> str:
    """A name as SQL has it, whatever it holds."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def count_rows(connection: sqlite3.Connection, table: str) -> int:
    """Counts in the table itself; an index may be out of step with it."""
    statement = f"SELECT count(*) FROM {quoted(table)} NOT INDEXED"  # noqa: S608
    found: int = connection.execute(statement).fetchone()[0]
    return found


def affinity(declared: str) -> Affinity:
    """SQLite's five rules, in its order (datatype3, section 3.1)."""
    name = declared.upper()
    if "INT" in name:
        return "INTEGER"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not name or "BLOB" in name:
        return "BLOB"
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"
