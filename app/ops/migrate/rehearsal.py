"""What only a dry run does: it fills two schemas of its own, which are dropped at the end."""

from dataclasses import replace

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import prepare, state, target
from app.ops.migrate.plan import LEGACY, Plan
from app.ops.migrate.results import Proof

# For the target's tables, and for what has no place in them.
PLACES = ("import_dry_run", f"import_dry_run_{LEGACY}")


def forget(connection: Connection) -> None:
    """Drops what a dry run has filled, also one that was killed."""
    if connection.closed:
        return
    connection.rollback()
    with connection, connection.cursor() as cursor:
        for name in PLACES:
            cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def refusals(cursor: Cursor, saved: target.Catalogue, plan: Plan) -> list[str]:
    """What would keep a real import from beginning, in a sentence."""
    real = [replace(move, schema=saved.schema) for move in plan.moves if not move.is_kept]
    try:
        prepare.require_empty(cursor, saved, replace(plan, moves=tuple(real), legacy=LEGACY))
    except prepare.TargetNotEmpty as refused:
        return [f"a real import would be refused: {refused.detail}"]
    return []


def expected(cursor: Cursor, plan: Plan) -> str:
    """What a real import will need, in a sentence."""
    total = 0
    for move in plan.moves:
        place = state.name(move.schema, move.table).as_string(cursor)
        cursor.execute("SELECT pg_total_relation_size(%s::regclass)", (place,))
        ((size,),) = cursor.fetchall()
        total += size
    return (
        f"the rows and their indexes took {total / 1_000_000:,.0f} MB of PostgreSQL; an import "
        f"needs as much, about as much again for its journal until that is recycled, and about "
        f"the time below"
    )


def as_if(plan: Plan, proof: Proof, schema: str) -> tuple[Plan, Proof]:
    """Names of a dry run as those of the import into `schema` that it stands for."""
    real = dict(zip(PLACES, (schema, LEGACY), strict=True))
    moves = tuple(replace(move, schema=real[move.schema]) for move in plan.moves)
    tables = tuple(replace(one, schema=real[one.schema]) for one in proof.tables)
    return replace(plan, moves=moves), replace(proof, tables=tables)
