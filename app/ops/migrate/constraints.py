"""Whether the target's schema is what it was before the import, and its sequences are ahead."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import reading, target
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.completeness import Checked
from app.ops.migrate.plan import MARK, Plan
from app.ops.migrate.target import Table

HAS_SEQUENCES = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'"
SEQUENCES = "SELECT name, max(seq) FROM sqlite_sequence WHERE typeof(seq) = 'integer' GROUP BY name"


def check(cursor: Cursor, plan: Plan, file: Path, saved: target.Catalogue) -> Checked:
    now = target.catalogue(cursor, saved.schema)
    problems = []
    for name, before in saved.tables.items():
        after = now.tables.get(name)
        if after is None:
            problems.append(f"the table {saved.schema}.{name} is gone")
            continue
        problems += [f"{saved.schema}.{name}: {one}" for one in _differences(before, after)]
    problems += _sequences(cursor, plan, _given_out(file), now)
    return _counts(saved), problems


def _counts(saved: target.Catalogue) -> dict[str, int]:
    tables = saved.tables.values()
    return {
        "columns of the schema": sum(len(one.columns) for one in tables),
        "constraints": sum(len(one.constraints) for one in tables),
        "indexes": sum(len(one.indexes) for one in tables),
        "sequences": sum(len(one.sequences) for one in tables),
        "triggers": sum(len(one.triggers) for one in tables),
    }


def _differences(before: Table, after: Table) -> Iterator[str]:
    columns = [one for one in after.columns if one.name != MARK]
    yield from _compared("column", before.columns, columns)
    yield from _compared("constraint", before.constraints, after.constraints)
    yield from _compared("index", before.indexes, after.indexes)
    yield from _compared("sequence", before.sequences, after.sequences)
    for statement in before.afterwards:
        if statement not in after.afterwards:
            yield f"this is no longer so: {statement}"
    yield from _compared("trigger", before.triggers, after.triggers)


def _compared(kind: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[str]:
    now = {one.name: one for one in after}
    for one in before:
        found = now.pop(one.name, None)
        if found is None:
            yield f"the {kind} {one.name} is gone"
        elif found != one:
            yield f"the {kind} {one.name} is not what it was: {_changes(one, found)}"
    for name in now:
        yield f"the {kind} {name} is new"


def _changes(before: Any, after: Any) -> str:
    names = [name for name in vars(before) if getattr(before, name) != getattr(after, name)]
    return "; ".join(
        f"{name} was {getattr(before, name)}, is {getattr(after, name)}" for name in names
    )


def _given_out(file: Path) -> dict[str, int]:
    """The highest id that AUTOINCREMENT has given out, by table."""
    with closing(reading.opened(file)) as connection:
        if not connection.execute(HAS_SEQUENCES).fetchone()[0]:
            return {}
        return dict(connection.execute(SEQUENCES).fetchall())


def _sequences(
    cursor: Cursor, plan: Plan, given_out: dict[str, int], now: target.Catalogue
) -> Iterator[str]:
    for table in now.tables.values():
        for sequence in table.sequences:
            ends = _used(cursor, now.schema, table.name, sequence)
            ends += _promised(plan, given_out, now.schema, table.name, sequence.column)
            upcoming = _upcoming(cursor, sequence)
            if upcoming is None or not ends:
                continue
            name = f"{now.schema}.{table.name}: the sequence of {sequence.column}"
            if sequence.increment > 0 and upcoming <= max(ends):
                yield f"{name} gives {upcoming} next, and {max(ends)} was given out"
            if sequence.increment < 0 and upcoming >= min(ends):
                yield f"{name} gives {upcoming} next, and {min(ends)} was given out"


def _used(cursor: Cursor, schema: str, table: str, sequence: target.Sequence) -> list[int]:
    end = "max" if sequence.increment > 0 else "min"
    cursor.execute(
        f"SELECT {end}({quoted(sequence.column)}) FROM {quoted(schema)}.{quoted(table)}"  # noqa: S608
    )
    ((found,),) = cursor.fetchall()
    return [] if found is None else [int(found)]


def _promised(
    plan: Plan, given_out: dict[str, int], schema: str, table: str, column: str
) -> list[int]:
    """What the file must not give out again, where its key goes to the column."""
    return [
        given_out[move.source]
        for move in plan.moves
        if (move.schema, move.table) == (schema, table) and move.source in given_out
        for link in move.links
        if move.source_key == (link.source,) and link.column.name == column
    ]


def _upcoming(cursor: Cursor, sequence: target.Sequence) -> int | None:
    """The next number, without taking it; None where all have been given out."""
    name = f"{quoted(sequence.schema)}.{quoted(sequence.name)}"
    cursor.execute(f"SELECT last_value, is_called FROM {name}")  # noqa: S608
    ((last, is_called),) = cursor.fetchall()
    upcoming = int(last) + (sequence.increment if is_called else 0)
    return upcoming if sequence.least <= upcoming <= sequence.most else None
