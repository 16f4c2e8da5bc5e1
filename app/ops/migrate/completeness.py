"""Whether everything in the file has a place, and nothing stands where the file has nothing."""

import re
from contextlib import closing
from pathlib import Path

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import reading, target
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import MARK, Move, Plan

Checked = tuple[dict[str, int], list[str]]

# Needs no calculation, and so is the same for every row.
CONSTANT = re.compile(r"-?[0-9.]+|true|false|NULL|'(?:[^']|'')*'", re.IGNORECASE)
CAST = re.compile(r"(?:::[a-z_\" ]+(?:\([0-9, ]+\))?(?:\[\])?)*")


def check(plan: Plan, file: Path) -> Checked:
    """The file's tables and columns that are neither in a move nor left out by name."""
    left = {one.name for one in plan.left_out}
    problems = []
    count = 0
    with closing(reading.opened(file)) as connection:
        tables = connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        ).fetchall()
        for (table,) in tables:
            count += 1
            moves = plan.of_source(table)
            if not moves and table not in left:
                problems.append(f"the table {table} of the file has no place in the plan")
            if not moves:
                continue
            names = connection.execute(
                "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", [table]
            ).fetchall()
            linked = {link.source for move in moves for link in move.links}
            problems += [
                f"the column {table}.{name} of the file has no place in the plan"
                for (name,) in names
                if name not in linked and f"{table}.{name}" not in left
            ]
    return {"tables of the file": count}, problems


def check_others(cursor: Cursor, plan: Plan, saved: target.Catalogue) -> Checked:
    """Columns that no value of the file goes to: each holds its default, or NULL."""
    problems = []
    checked = skipped = 0
    own = {(table, column): expression for table, column, expression in plan.defaults}
    for move in plan.moves:
        table = saved.tables.get(move.table) if move.schema == saved.schema else None
        for column in _without_link(plan, move, table.columns if table else ()):
            default = own.get((move.table, column.name), column.default)
            if not _is_constant(default):
                skipped += 1
                continue
            checked += 1
            count = _count_others(cursor, move, column, default or "NULL")
            if count:
                problems.append(
                    f"{move.schema}.{move.table}: {count} rows hold something else than the "
                    f"default in {column.name}, for which the file has nothing"
                )
    return {"other columns": checked, "other columns that can't be checked": skipped}, problems


def _without_link(
    plan: Plan, move: Move, columns: tuple[target.Column, ...]
) -> list[target.Column]:
    linked = {
        link.column.name
        for one in plan.moves
        if (one.schema, one.table) == (move.schema, move.table)
        for link in one.links
    }
    return [one for one in columns if one.name not in linked | {MARK} and not one.is_generated]


def _is_constant(default: str | None) -> bool:
    if default is None:
        return True
    found = CONSTANT.match(default)
    return found is not None and CAST.fullmatch(default, found.end()) is not None


def _count_others(cursor: Cursor, move: Move, column: target.Column, default: str) -> int:
    statement = (
        f"SELECT count(*) FROM {quoted(move.schema)}.{quoted(move.table)}"  # noqa: S608
        f" WHERE {quoted(column.name)}::text IS DISTINCT FROM ({default})::text"
    )
    cursor.execute(statement)
    ((count,),) = cursor.fetchall()
    return int(count)
