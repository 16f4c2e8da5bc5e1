"""Rows that a constraint refuses, found all at once in the target, and moved to quarantine."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import quarantine, state, target
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import MARK, Move, Plan
from app.ops.migrate.quarantine import Key, Refusal
from app.ops.migrate.rows import MARK_COLUMN
from app.ops.migrate.target import Column

# Rows that are looked for in the file and deleted at once.
BATCH = 1_000
DEFERRAL = re.compile(" DEFERRABLE( INITIALLY DEFERRED)?$")
TEXTS = {"text", "varchar"}
# Answers about parents that are kept: children of one parent come together.
REMEMBERED = 10_000


class CantTell(RuntimeError):
    """A constraint refuses rows of a table whose rows can't be told apart."""


@dataclass(frozen=True)
class Violations:
    """Looks for rows in the tables that are being filled."""

    plan: Plan
    file: sqlite3.Connection
    database: Connection

    def of_check(self, move: Move, constraint: target.Constraint, table: sql.Composable) -> int:
        """Rows that a CHECK is false for; how many were moved.

        Args:
            move: whose rows.
            constraint: the check.
            table: has some of the move's rows, and is not kept from having them by the check.
        """
        condition = _condition(constraint)
        statement = sql.SQL("SELECT {} FROM {} t WHERE NOT ({})").format(
            _identity(move), table, sql.SQL(condition)
        )
        reason = f"breaks the rule {constraint.name}: {condition[1:-1]}"
        return self._move(move, statement, lambda _row: reason, table)

    def of_unique(self, move: Move, name: str, statement: str) -> int:
        """Rows that another one before them has the key of; how many were moved.

        The first of them by primary key or rowid stays. A copy of the table with just this index
        tells which, by the very rules of the index. The copy hides the table by having its name.

        Args:
            move: of the table.
            name: of the index or constraint.
            statement: makes it; names the table without its schema.
        """
        table = state.name(move.schema, move.table)
        copy = sql.Identifier("pg_temp", move.table)
        with self.database.cursor() as cursor:
            cursor.execute(
                sql.SQL("CREATE TEMP TABLE {} (LIKE {})").format(sql.Identifier(move.table), table)
            )
            # Rows are refused one by one, not at the end.
            cursor.execute(DEFERRAL.sub("", statement))
            cursor.execute(
                sql.SQL(
                    "INSERT INTO {} SELECT * FROM {} ORDER BY {} ON CONFLICT DO NOTHING"
                ).format(copy, table, sql.SQL(", ").join(map(_exactly, _columns(move))))
            )
        found = sql.SQL(
            "SELECT {} FROM {} t WHERE NOT EXISTS (SELECT FROM {} other WHERE {})"
        ).format(_identity(move), table, copy, _same(move))
        moved = self._move(move, found, lambda _row: f"has the same {name} as another row")
        with self.database.cursor() as cursor:
            cursor.execute(sql.SQL("DROP TABLE {}").format(copy))
        return moved

    def of_foreign_key(self, move: Move, key: target.Constraint) -> int:
        """Rows that refer to what isn't there; how many were moved."""
        parent = state.name(move.schema, str(key.refers_to))
        pairs = list(zip(key.columns, key.referred, strict=True))
        equal = sql.SQL(" AND ").join(
            sql.SQL("p.{} = t.{}").format(sql.Identifier(theirs), sql.Identifier(ours))
            for ours, theirs in pairs
        )
        given = _given(key)
        statement = sql.SQL(
            "SELECT {} FROM {} t WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})"
        ).format(_identity(move), state.name(move.schema, move.table), given, parent, equal)
        parents = _Parents(self.plan, self.file, move, key)
        return self._move(move, statement, parents.reason)

    def _move(
        self,
        move: Move,
        statement: sql.Composed,
        reason: Callable[[int | Key], str],
        table: sql.Composable | None = None,
    ) -> int:
        if not (move.key or move.is_marked):
            raise CantTell(f"{move.table} has rows that a constraint refuses")
        moved = 0
        with self.database.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall()
            for at in range(0, len(rows), BATCH):
                batch = rows[at : at + BATCH]
                refusals = [
                    Refusal(row, None, reason(row)) for row in self._source_rows(move, batch)
                ]
                quarantine.keep(self.file, self.plan, cursor, move, refusals)
                _delete(cursor, move, batch, table or state.name(move.schema, move.table))
                moved += len(batch)
        return moved

    def _source_rows(self, move: Move, rows: Sequence[tuple[Any, ...]]) -> Iterator[int | Key]:
        """The file's rowid, or its primary key, of rows of the target."""
        self.file.text_factory = str
        if move.is_marked and move.rowid:
            yield from (int(mark) for (mark,) in rows)
            return
        for row in rows:
            yield self._source_row(move, row)

    def _source_row(self, move: Move, row: tuple[Any, ...]) -> int | Key:
        table = quoted(move.source)
        if move.is_marked:
            names = ", ".join(map(quoted, move.source_key))
            statement = f"SELECT {names} FROM {table} ORDER BY {names} LIMIT 1 OFFSET ?"  # noqa: S608
            return tuple(self.file.execute(statement, (row[0] - 1,)).fetchone())
        if not move.rowid:
            by_source = dict(zip([link.source for link in move.key], row, strict=True))
            return tuple(by_source[name] for name in move.source_key)
        where = " AND ".join(f"{quoted(link.source)} = ?" for link in move.key)
        statement = f"SELECT {quoted(move.rowid)} FROM {table} WHERE {where}"  # noqa: S608
        return int(self.file.execute(statement, row).fetchone()[0])


class _Parents:
    """Tells why a parent isn't there: the file lacks it, or it is in quarantine itself."""

    def __init__(
        self, plan: Plan, source: sqlite3.Connection, move: Move, key: target.Constraint
    ) -> None:
        self._source = source
        self._move = move
        ours = {link.column.name: link.source for link in move.links}
        # The target may fill a column that the file lacks.
        self._columns = [ours[name] for name in key.columns if name in ours]
        self._parent = next(
            (one for one in plan.moves if one.table == key.refers_to and not one.is_kept), None
        )
        theirs = (
            {link.column.name: link.source for link in self._parent.links} if self._parent else {}
        )
        self._referred = [theirs[name] for name in key.referred if name in theirs]
        self._name = key.refers_to
        self._exists = lru_cache(REMEMBERED)(self._look)

    def reason(self, row: int | Key) -> str:
        values = self._values(row)
        shown = ", ".join(
            f"{name} {_short(value)}" for name, value in zip(self._columns, values, strict=True)
        )
        if self._parent and len(self._referred) == len(values) and self._exists(values):
            return f"refers to a row of {self._name} that is in quarantine ({shown})"
        return f"refers to a row of {self._name} that the file doesn't have ({shown})"

    def _values(self, row: int | Key) -> Key:
        if not self._columns:
            return ()
        where, parameters = quarantine.where(self._move, row)
        names = ", ".join(map(quoted, self._columns))
        statement = f"SELECT {names} FROM {quoted(self._move.source)} WHERE {where}"  # noqa: S608
        return tuple(self._source.execute(statement, parameters).fetchone())

    def _look(self, values: Key) -> bool:
        assert self._parent
        where = " AND ".join(f"{quoted(name)} = ?" for name in self._referred)
        statement = f"SELECT EXISTS (SELECT 1 FROM {quoted(self._parent.source)} WHERE {where})"  # noqa: S608
        return bool(self._source.execute(statement, values).fetchone()[0])


def _short(value: object) -> str:
    shown = str(value)
    return shown if len(shown) <= 50 else f"{shown[:50]}..."


def _condition(constraint: target.Constraint) -> str:
    """The expression of `CHECK (...)`, which may be followed by words that tell how it is kept."""
    text = constraint.definition.removeprefix("CHECK ")
    for ending in (" NOT VALID", " NO INHERIT"):
        text = text.removesuffix(ending)
    return text


def _given(key: target.Constraint) -> sql.Composed:
    """Whether a row refers to anything at all, or in MATCH FULL to half of something."""
    is_full = "MATCH FULL" in key.definition
    word = sql.SQL(" OR " if is_full else " AND ")
    parts = [sql.SQL("t.{} IS NOT NULL").format(sql.Identifier(name)) for name in key.columns]
    return sql.SQL("({})").format(word.join(parts))


def _names(move: Move) -> list[str]:
    return [MARK] if move.is_marked else [link.column.name for link in move.key]


def _identity(move: Move) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(one)) for one in _names(move))


def _columns(move: Move) -> list[Column]:
    return [MARK_COLUMN] if move.is_marked else [link.column for link in move.key]


def _exactly(column: Column, prefix: str = "") -> sql.Composed:
    """In a collation of which no two texts are the same, as the column's own may have them."""
    ending = sql.SQL(' COLLATE "C"' if column.type in TEXTS else "")
    return sql.SQL("{}{}{}").format(sql.SQL(prefix), sql.Identifier(column.name), ending)


def _same(move: Move) -> sql.Composed:
    """By the column's own collation as well, for which there may be an index."""
    parts = [
        sql.SQL("other.{0} = t.{0} AND {1} = {2}").format(
            sql.Identifier(one.name), _exactly(one, "other."), _exactly(one, "t.")
        )
        for one in _columns(move)
    ]
    return sql.SQL(" AND ").join(parts)


def _delete(
    cursor: Cursor, move: Move, rows: Sequence[tuple[Any, ...]], table: sql.Composable
) -> None:
    key = sql.SQL(", ").join(map(sql.Identifier, _names(move)))
    exact = sql.SQL(", ").join(map(_exactly, _columns(move)))
    # A list of one value in parentheses is that value to SQL.
    values = sql.Literal(tuple(row if len(row) > 1 else row[0] for row in rows))
    # Not with parameters, for which a per cent sign in a name would be one.
    statement = sql.SQL("DELETE FROM {0} WHERE ({1}) IN {3} AND ({2}) IN {3}")
    cursor.execute(statement.format(table, key, exact, values))
