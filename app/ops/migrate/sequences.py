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
            if sequence.increment > 0:
                _advance(cursor, source, found, move, sequence)


def _advance(
    cursor: Cursor,
    source: sqlite3.Connection,
    found: catalogue.Catalogue,
    move: Move,
    sequence: target.Sequence,
) -> None:
    column = sql.Identifier(sequence.column)
    table = name(move.schema, move.table)
    cursor.execute(sql.SQL("SELECT max({}) FROM {}").format(column, table))
    ((highest,),) = cursor.fetchall()
    given = [*_given(source, found, move, sequence), *([highest] if highest is not None else [])]
    reachable = [int(one) for one in given if one >= sequence.least]
    if reachable:
        number = min(max(reachable), sequence.most)
        identifier = name(sequence.schema, sequence.name).as_string(cursor)
        cursor.execute("SELECT setval(%s, %s)", (identifier, number))


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
            statement = f"SELECT max({column}) FROM {quoted(move.source)}"  # noqa: S608
            # A text is more than any number to max().
            where = f" WHERE typeof({column}) = 'integer'"
            (highest,) = source.execute(statement + where).fetchone()
            given.append(highest)
    table = found.table(move.source)
    if table and table.sequence is not None and sequence.column in _key_columns(move, table):
        given.append(table.sequence)
    return [one for one in given if one is not None]


def _key_columns(move: Move, table: catalogue.Table) -> set[str]:
    return {link.column.name for link in move.links if link.source in table.key}
