"""The numbers that the target gives out next: none that the file has ever given out."""

import sqlite3

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import catalogue, target
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import Move, Plan
from app.ops.migrate.state import name


def advance(
    cursor: Cursor,
    source: sqlite3.Connection,
    found: catalogue.Catalogue,
    saved: target.Catalogue,
    plan: Plan,
) -> None:
    """Sets each sequence behind what its column holds, and behind what is in quarantine."""
    for move in plan.moves:
        if move.is_kept:
            continue
        for sequence in saved.tables[move.table].sequences:
            _advance(cursor, source, found, move, sequence)


def _advance(
    cursor: Cursor,
    source: sqlite3.Connection,
    found: catalogue.Catalogue,
    move: Move,
    sequence: target.Sequence,
) -> None:
    end = max if sequence.increment > 0 else min
    column = sql.Identifier(sequence.column)
    table = name(move.schema, move.table)
    statement = sql.SQL("SELECT {}({}) FROM {}")
    cursor.execute(statement.format(sql.SQL(end.__name__), column, table))
    ((last,),) = cursor.fetchall()
    given = [*_given(source, found, move, sequence), *([last] if last is not None else [])]
    if given and _is_behind(cursor, sequence, int(end(given))):
        number = min(max(int(end(given)), sequence.least), sequence.most)
        identifier = name(sequence.schema, sequence.name).as_string(cursor)
        cursor.execute("SELECT setval(%s, %s)", (identifier, number))


def _is_behind(cursor: Cursor, sequence: target.Sequence, number: int) -> bool:
    """Whether it would give out the number, sooner or later."""
    place = name(sequence.schema, sequence.name)
    cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(place))
    ((last, is_called),) = cursor.fetchall()
    upcoming = last + (sequence.increment if is_called else 0)
    return bool(upcoming <= number if sequence.increment > 0 else upcoming >= number)


def _given(
    source: sqlite3.Connection,
    found: catalogue.Catalogue,
    move: Move,
    sequence: target.Sequence,
) -> list[int]:
    """What the file has in the column, quarantined rows as well, and what AUTOINCREMENT gave."""
    given = []
    for link in move.links:
        if link.column.name == sequence.column and not link.derivation:
            column = quoted(link.source)
            end = "max" if sequence.increment > 0 else "min"
            statement = f"SELECT {end}({column}) FROM {quoted(move.source)}"  # noqa: S608
            # A text is more than any number to max().
            where = f" WHERE typeof({column}) = 'integer'"
            (last,) = source.execute(statement + where).fetchone()
            given.append(last)
    table = found.table(move.source)
    counts_up = table is not None and table.sequence is not None and sequence.increment > 0
    if table and counts_up and sequence.column in _key_columns(move, table):
        given.append(table.sequence)
    return [one for one in given if one is not None]


def _key_columns(move: Move, table: catalogue.Table) -> set[str]:
    return {link.column.name for link in move.links if link.source in table.key}
