"""Makes the target ready for the rows, in one transaction, or not at all."""

from collections.abc import Iterable, Sequence

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.errors import Conflict
from app.ops.migrate import quarantine, state, target
from app.ops.migrate.plan import MARK, Move, Plan

EXISTING_TRIGGERS = """
SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal
"""
TRIGGER_MODES = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}


class TargetNotEmpty(Conflict):
    """The target has rows."""


def require_empty(cursor: Cursor, into: target.Catalogue, plan: Plan) -> None:
    """Raises TargetNotEmpty for rows in tables that rows are to go to."""
    tables = {name: into.tables[name] for name in _loaded(plan)}
    counts = target.count_rows(cursor, target.Catalogue(into.schema, tables))
    if counts:
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise TargetNotEmpty(
            f"the target has rows already ({shown}), and an import adds to none: "
            f"use an empty database"
        )
    kept = [move.table for move in plan.moves if move.is_kept]
    cursor.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND relname = ANY (%s)",
        (plan.legacy, [*kept, "import_quarantine"]),
    )
    found = [name for (name,) in cursor.fetchall()]
    if found:
        raise TargetNotEmpty(
            f"schema {plan.legacy} of the target has tables from an earlier import "
            f"({', '.join(sorted(found)[:5])}): use an empty database, or drop that schema"
        )


def prepare(cursor: Cursor, saved: target.Catalogue, plan: Plan, comments: dict[str, str]) -> None:
    """Takes away what would slow the loading down or refuse rows one by one.

    `saved` has all of it, for `rebuild.py`. In the caller's transaction.
    """
    loaded = _loaded(plan)
    _drop_foreign_keys(cursor, saved, loaded)
    for name in loaded:
        _drop_rest(cursor, saved.schema, saved.tables[name])
        if saved.tables[name].triggers:
            _alter(cursor, saved.schema, name, "DISABLE TRIGGER USER")
    for table, column, expression in plan.defaults:
        _set_default(cursor, saved.schema, table, column, expression)
    _make_kept(cursor, plan, comments)
    for move in plan.moves:
        if move.is_marked:
            _alter(cursor, move.schema, move.table, "ADD COLUMN IF NOT EXISTS {} bigint", MARK)


def rehearse(
    cursor: Cursor, saved: target.Catalogue, plan: Plan, schema: str, comments: dict[str, str]
) -> None:
    """The same in a schema of its own, whose tables are like the target's, and vanish."""
    for name in (schema, plan.legacy):
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    quarantine.make(cursor, plan)
    loaded = set(_loaded(plan))
    for name in saved.tables:
        # Where no rows go to, nothing is put back at the end, and others may refer to the keys.
        keys = sql.SQL("" if name in loaded else " INCLUDING INDEXES")
        cursor.execute(
            sql.SQL(
                "CREATE UNLOGGED TABLE {} (LIKE {} INCLUDING GENERATED INCLUDING CONSTRAINTS"
                " INCLUDING IDENTITY{})"
            ).format(state.name(schema, name), state.name(saved.schema, name), keys)
        )
        _copy_defaults(cursor, schema, saved.tables[name])
    for table, column, expression in plan.defaults:
        _set_default(cursor, schema, table, column, expression)
    _make_kept(cursor, plan, comments)
    for move in plan.moves:
        if move.is_marked:
            _alter(cursor, move.schema, move.table, "ADD COLUMN IF NOT EXISTS {} bigint", MARK)


def finish(cursor: Cursor, saved: target.Catalogue, plan: Plan) -> None:
    """Takes back what `prepare` added. May run again."""
    for move in plan.moves:
        if move.is_marked:
            _alter(cursor, move.schema, move.table, "DROP COLUMN IF EXISTS {}", MARK)
    for table, column, _ in plan.defaults:
        _alter(cursor, saved.schema, table, "ALTER COLUMN {} DROP DEFAULT", column)
    for name in _loaded(plan):
        _restore_triggers(cursor, saved.schema, saved.tables[name])


def put_back(cursor: Cursor, saved: target.Catalogue) -> None:
    """Says again what went with constraints and indexes, when all of them are there."""
    for table in saved.tables.values():
        for statement in table.afterwards:
            cursor.execute(statement)


def forget(cursor: Cursor, legacy: str) -> None:
    """Drops an empty schema."""
    cursor.execute("SAVEPOINT forgetting")
    try:
        cursor.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(legacy)))
    except psycopg2.errors.DependentObjectsStillExist:
        cursor.execute("ROLLBACK TO SAVEPOINT forgetting")


def undo(cursor: Cursor, plan: Plan, saved: target.Catalogue) -> None:
    """Empties what an unfinished import has filled, for another one to begin anew."""
    tables = [state.name(saved.schema, name) for name in _loaded(plan)]
    if tables:
        cursor.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
    kept = [state.name(move.schema, move.table) for move in plan.moves if move.is_kept]
    if kept:
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(", ").join(kept)))
    cursor.execute(state.at(plan.legacy, quarantine.DROP))


def _loaded(plan: Plan) -> list[str]:
    return [move.table for move in plan.moves if not move.is_kept]


def _drop_foreign_keys(cursor: Cursor, saved: target.Catalogue, loaded: Sequence[str]) -> None:
    for table in saved.tables.values():
        for key in table.foreign_keys:
            if table.name in loaded or key.refers_to in loaded:
                _alter(cursor, saved.schema, table.name, "DROP CONSTRAINT IF EXISTS {}", key.name)


def _drop_rest(cursor: Cursor, schema: str, table: target.Table) -> None:
    for constraint in table.constraints:
        # A check may be written otherwise when it is made again, and costs little.
        if constraint.type not in {"foreign key", "check"}:
            _alter(cursor, schema, table.name, "DROP CONSTRAINT IF EXISTS {}", constraint.name)
    # An interrupted import may have made a constraint's index and not yet the constraint.
    made = [one.name for one in table.constraints if one.index]
    for name in [*made, *(one.name for one in table.indexes)]:
        cursor.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(state.name(schema, name)))


def _restore_triggers(cursor: Cursor, schema: str, table: target.Table) -> None:
    cursor.execute(EXISTING_TRIGGERS, (state.name(schema, table.name).as_string(cursor),))
    # A dry run's tables have none.
    existing = {name for (name,) in cursor.fetchall()}
    for trigger in table.triggers:
        if trigger.name in existing:
            action = f"{TRIGGER_MODES[trigger.mode]} TRIGGER {{}}"
            _alter(cursor, schema, table.name, action, trigger.name)


def _alter(cursor: Cursor, schema: str, table: str, action: str, *names: str) -> None:
    change = sql.SQL("ALTER TABLE {} " + action)
    cursor.execute(change.format(state.name(schema, table), *map(sql.Identifier, names)))


def _set_default(cursor: Cursor, schema: str, table: str, column: str, expression: str) -> None:
    change = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}")
    place = (state.name(schema, table), sql.Identifier(column))
    # It may have braces in it.
    cursor.execute(change.format(*place, sql.SQL(expression)))


def _copy_defaults(cursor: Cursor, schema: str, table: target.Table) -> None:
    """Numbers come from sequences of its own, not from the target's."""
    for column in table.columns:
        default = column.default or ""
        if default.startswith("nextval(") and not column.nullable:
            action = "ALTER COLUMN {} ADD GENERATED BY DEFAULT AS IDENTITY"
            _alter(cursor, schema, table.name, action, column.name)
        elif default and "nextval(" not in default:
            _set_default(cursor, schema, table.name, column.name, default)


def _make_kept(cursor: Cursor, plan: Plan, comments: dict[str, str]) -> None:
    for move in plan.moves:
        if move.is_kept and move.table not in quarantine.COLUMNS:
            _make(cursor, move, comments.get(move.source, ""))


def _make(cursor: Cursor, move: Move, comment: str) -> None:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(link.column.name), sql.SQL(link.column.type))
        for link in move.links
    ]
    key: Iterable[sql.Composable] = ()
    if move.key:
        names = state.names([link.column.name for link in move.key])
        key = [sql.SQL("PRIMARY KEY ({})").format(names)]
    table = state.name(move.schema, move.table)
    body = sql.SQL(", ").join([*columns, *key])
    cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(table, body))
    # Not with a parameter, for which a per cent sign in a name would be one.
    remark = sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(comment))
    cursor.execute(remark)
