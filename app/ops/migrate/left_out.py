"""Which rows of the file are in quarantine, and so not in their table."""

import json
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import quarantine, reading, state
from app.ops.migrate.plan import Move, Plan

ROWS = """
SELECT source_rowid, source_key::text FROM {legacy}.import_quarantine
WHERE id > %s AND source_table = %s AND target_schema = %s AND target_table = %s
"""


def of_moves(cursor: Cursor, plan: Plan) -> list[frozenset[Any]]:
    """Of each move, in their order: rowids, or keys as `reading.key_of` makes them."""
    if not plan.legacy or not quarantine.exists(cursor, plan.legacy):
        return [frozenset()] * len(plan.moves)
    return [_of_move(cursor, plan, move) for move in plan.moves]


def _of_move(cursor: Cursor, plan: Plan, move: Move) -> frozenset[Any]:
    place = (move.source, move.schema, move.table)
    cursor.execute(state.at(plan.legacy, ROWS), (plan.quarantined_before, *place))
    rows = cursor.fetchall()
    if move.rowid:
        return frozenset(rowid for rowid, _ in rows)
    keys = (json.loads(key) for _, key in rows)
    return frozenset(reading.key_of([key[name] for name in move.source_key]) for key in keys)
