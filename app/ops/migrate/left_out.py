"""Which rows of the file are in quarantine, and so not in their table."""

from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import quarantine, state
from app.ops.migrate.plan import Move, Plan

ROWS = """
SELECT source_rowid FROM {legacy}.import_quarantine
WHERE id > %s AND source_table = %s AND target_schema = %s AND target_table = %s
"""
# With their very bytes: what is shown of a key may be cut.
KEYS = """
SELECT q.id, v.column_name, v.type, v.value
FROM {legacy}.import_quarantine q
JOIN {legacy}.import_quarantine_values v ON v.quarantine_id = q.id
WHERE q.id > %s AND q.source_table = %s AND q.target_schema = %s AND q.target_table = %s
    AND v.column_name = ANY (%s)
"""


def of_moves(cursor: Cursor, plan: Plan) -> list[frozenset[Any]]:
    """Of each move, in their order: rowids, or keys as `reading.key_of` makes them."""
    if not plan.legacy or not quarantine.exists(cursor, plan.legacy):
        return [frozenset()] * len(plan.moves)
    return [_of_move(cursor, plan, move) for move in plan.moves]


def _of_move(cursor: Cursor, plan: Plan, move: Move) -> frozenset[Any]:
    place = (plan.quarantined_before, move.source, move.schema, move.table)
    if move.rowid:
        cursor.execute(state.at(plan.legacy, ROWS), place)
        return frozenset(rowid for (rowid,) in cursor.fetchall())
    cursor.execute(state.at(plan.legacy, KEYS), (*place, list(move.source_key)))
    rows: dict[int, dict[str, tuple[str, bytes]]] = {}
    for number, name, kind, value in cursor.fetchall():
        rows.setdefault(number, {})[name] = (kind, bytes(value))
    return frozenset(tuple(row[name] for name in move.source_key) for row in rows.values())
