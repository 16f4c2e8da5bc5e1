"""Reads the catalogue of a SQLite file from its schema."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any, cast

from app.ops.migrate.catalogue import (
    Catalogue,
    Column,
    ColumnKind,
    ForeignKey,
    Index,
    IndexColumn,
    Other,
    Table,
    affinity,
    quoted,
)
from app.ops.migrate.source import InvalidText, SourceUnusable

KINDS: tuple[ColumnKind, ...] = ("plain", "hidden", "virtual", "stored")
ORIGINS = {"c": "index", "u": "unique", "pk": "key"}
# Quoted text and comments, which may hold anything, parentheses, and words.
TOKENS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^]]*\] | --[^\n]* | /\*.*?(?:\*/|$)
    | (?P<word>\w+) | (?P<parenthesis>[()])""",
    re.VERBOSE | re.DOTALL,
)
MISSING_COLLATION = re.compile("no such collation sequence: (.+)")
FULL_TEXT = re.compile(r"\bUSING\s+\W?fts[345]\b", re.IGNORECASE)


def catalogue(connection: sqlite3.Connection) -> Catalogue:
    """Reads what the file of a `Source` holds.

    Raises:
        SourceUnusable: a name is no valid UTF-8, so that no statement can name it.
    """
    listed = {
        _name(name): (kind, bool(without_rowid), bool(strict))
        for _, name, kind, _, without_rowid, strict in connection.execute("PRAGMA main.table_list")
    }
    statement = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY rowid"
    stored = [
        (kind, _name(name), _name(table), _text(sql) or "")
        for kind, name, table, sql in connection.execute(statement)
        # SQLite's own; nobody else may use the prefix.
        if not _name(name).lower().startswith("sqlite_")
    ]
    others = tuple(
        _other(kind if kind != "table" else listed[name][0], name, table, sql, set(listed))
        for kind, name, table, sql in stored
        if kind in {"view", "trigger"} or (kind == "table" and listed[name][0] != "table")
    )
    own = {name: sql for kind, name, _, sql in stored if kind == "table"}
    for other in others:
        own.pop(other.name, None)
    sequences = _sequences(connection)
    indexes = {name: sql for kind, name, _, sql in stored if kind == "index"}
    return Catalogue(
        encoding=connection.execute("PRAGMA encoding").fetchone()[0],
        tables=tuple(
            _table(connection, name, sql, listed[name][1:], sequences.get(name), indexes)
            for name, sql in own.items()
        ),
        others=others,
    )


def virtual_table(connection: sqlite3.Connection, other: Other) -> Table:
    """A virtual table that keeps rows of its own, as if it were a table.

    Raises:
        sqlite3.Error: its module isn't there.
    """
    columns = tuple(_columns(connection, other.name, strict=False))
    return Table(
        name=other.name,
        columns=columns,
        rowid="rowid",
        without_rowid=False,
        strict=False,
        autoincrement=False,
        sequence=None,
        indexes=(),
        foreign_keys=(),
        sql=other.sql,
    )


def _other(kind: str, name: str, table: str, sql: str, tables: set[str]) -> Other:
    if kind == "trigger":
        return Other(name, "trigger", table, sql)
    if kind == "shadow":
        owners = [one for one in tables if name.startswith(f"{one}_")]
        return Other(name, "shadow", max(owners, key=len, default=None), sql)
    if kind == "virtual":
        # A full-text index of another table's rows, or of none, has no copy of them.
        index_only = FULL_TEXT.search(sql) and f"{name}_content" not in tables
        return Other(name, "virtual", None, sql, keeps_rows=not index_only)
    return Other(name, "view", None, sql)


def _table(
    connection: sqlite3.Connection,
    name: str,
    sql: str,
    flags: tuple[bool, ...],
    sequence: int | None,
    statements: dict[str, str],
) -> Table:
    without_rowid, strict = flags
    columns = tuple(_columns(connection, name, strict))
    indexes = tuple(_indexes(connection, name, statements))
    return Table(
        name=name,
        columns=columns,
        rowid=None if without_rowid else _rowid(columns, indexes),
        without_rowid=without_rowid,
        strict=strict,
        autoincrement="AUTOINCREMENT" in (word.upper() for _, _, word in _words(sql)),
        sequence=sequence,
        indexes=indexes,
        foreign_keys=tuple(_foreign_keys(connection, name)),
        sql=sql,
    )


def _columns(connection: sqlite3.Connection, table: str, strict: bool) -> Iterator[Column]:
    for row in _pragma(connection, "table_xinfo", table):
        _, raw, declared, not_null, default, key, hidden = row
        name = _name(raw)
        declared = _text(declared) or ""
        yield Column(
            name=name,
            declared=declared,
            # In such a table ANY means that values stay as they are.
            affinity="BLOB" if strict and declared.upper() == "ANY" else affinity(declared),
            not_null=bool(not_null),
            default=_text(default),
            key=key,
            kind=KINDS[hidden],
            collation=_collation(connection, table, name),
        )


def _collation(connection: sqlite3.Connection, table: str, column: str) -> str | None:
    """SQLite tells it nowhere but in the program that it makes for a comparison."""
    compare = f"SELECT {quoted(column)} = ? FROM main.{quoted(table)}"  # noqa: S608
    try:
        for step in connection.execute(f"EXPLAIN {compare}", (None,)):
            if step[1] == "Eq":
                # Without one it compares rowids, which are numbers.
                return str(step[5] or "BINARY-8").rpartition("-")[0]
    except sqlite3.OperationalError as error:
        # One that only the file's own program has.
        missing = MISSING_COLLATION.search(str(error))
        return missing[1] if missing else None
    return None


def _rowid(columns: tuple[Column, ...], indexes: tuple[Index, ...]) -> str | None:
    of_key = [one for one in columns if one.key]
    # `INTEGER PRIMARY KEY DESC` is no name for the rowid, and has an index of its own.
    if (
        len(of_key) == 1
        and of_key[0].declared.upper() == "INTEGER"
        and all(one.origin != "key" for one in indexes)
    ):
        return of_key[0].name
    taken = {one.name.lower() for one in columns}
    return next((one for one in ("rowid", "_rowid_", "oid") if one not in taken), None)


def _indexes(
    connection: sqlite3.Connection, table: str, statements: dict[str, str]
) -> Iterator[Index]:
    for row in sorted(_pragma(connection, "index_list", table), reverse=True):
        _, raw, unique, origin, partial = row
        name = _name(raw)
        sql = statements.get(name)
        yield Index(
            name=name,
            columns=tuple(
                IndexColumn("rowid" if at == -1 else _text(column), _name(collation), bool(down))
                for _, at, column, down, collation, is_key in _pragma(
                    connection, "index_xinfo", name
                )
                if is_key
            ),
            unique=bool(unique),
            origin=cast(Any, ORIGINS[origin]),
            where=_where(sql) if partial and sql else None,
            sql=sql,
        )


def _foreign_keys(connection: sqlite3.Connection, table: str) -> Iterator[ForeignKey]:
    rows = _pragma(connection, "foreign_key_list", table)
    # Numbered from the last to the first.
    for number in sorted({row[0] for row in rows}, reverse=True):
        parts = sorted((row for row in rows if row[0] == number), key=lambda row: row[1])
        parent = _existing(connection, _name(parts[0][2]))
        columns = [(row[5], _name(row[1])) for row in _pragma(connection, "table_xinfo", parent)]
        written = {name.lower(): name for _, name in columns}
        named = [_name(row[4]) for row in parts if row[4] is not None]
        # Without names it refers to the parent's primary key.
        of_key = [name for key, name in sorted(columns) if key]
        yield ForeignKey(
            columns=tuple(_name(row[3]) for row in parts),
            parent=parent,
            parent_columns=tuple(written.get(name.lower(), name) for name in named or of_key),
            on_update=parts[0][5],
            on_delete=parts[0][6],
        )


def _existing(connection: sqlite3.Connection, table: str) -> str:
    """The table's name as it was created; a foreign key may write it in other letters."""
    statement = (
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE"
    )
    found = connection.execute(statement, (table,)).fetchone()
    return _name(found[0]) if found else table


def _sequences(connection: sqlite3.Connection) -> dict[str, int]:
    statement = "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'"
    if not connection.execute(statement).fetchone():
        return {}
    # Anybody may write into it.
    statement = (
        "SELECT name, max(seq) FROM main.sqlite_sequence"
        " WHERE typeof(name) = 'text' AND typeof(seq) = 'integer' GROUP BY name"
    )
    return dict(connection.execute(statement))


def _where(sql: str) -> str | None:
    """The condition of a partial index."""
    for depth, end, word in _words(sql):
        if depth == 0 and word.upper() == "WHERE":
            return sql[end:].strip()
    return None


def _words(sql: str) -> Iterator[tuple[int, int, str]]:
    """How deep in parentheses a bare word stands, where it ends, and the word."""
    depth = 0
    for token in TOKENS.finditer(sql):
        if token["word"]:
            yield depth, token.end(), token["word"]
        elif token["parenthesis"]:
            depth += 1 if token["parenthesis"] == "(" else -1


def _pragma(connection: sqlite3.Connection, pragma: str, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"PRAGMA main.{pragma}({quoted(name)})").fetchall()


def _name(value: str | bytes) -> str:
    if isinstance(value, InvalidText):
        shown = value.decode(errors="backslashreplace")
        raise SourceUnusable(f"the name {shown} in the file is no valid UTF-8; rename it in a copy")
    return str(value)


def _text(value: str | bytes | None) -> str | None:
    """A part of the schema that is only shown."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
