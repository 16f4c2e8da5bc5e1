"""What the planner of the target has to know of tables that are new to it."""

from psycopg2 import sql

from app.ops.migrate import connections, state, threads
from app.ops.migrate.plan import Move, Plan
from app.ops.migrate.progress import Progress


def gather(plan: Plan, dsn: str, jobs: int, progress: Progress) -> None:
    """Over `jobs` connections of its own; tells of each table."""

    def analyze(move: Move) -> None:
        with connections.opened(dsn, (move.schema,)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("ANALYZE {}").format(state.name(move.schema, move.table)))
            connection.commit()

    # Large ones first, so that nobody waits for one at the end.
    moves = sorted(plan.moves, key=lambda move: -move.rows)
    with threads.pool(jobs) as pool:
        for _ in pool.map(analyze, moves):
            progress.advance(1)
