"""The proof of an import whose file may be written to meanwhile."""

from collections.abc import Sequence

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from app.ops.migrate import target
from app.ops.migrate.plan import Plan
from app.ops.migrate.results import Proof
from app.ops.migrate.sources import Chosen
from app.ops.migrate.verify import verify


def prove(
    plan: Plan,
    chosen: Chosen,
    dsn: str,
    search_path: Sequence[str],
    jobs: int,
    saved: target.Catalogue | None,
) -> Proof:
    """As `verify`, of the state of the file that was read."""

    def connect() -> Connection:
        made = psycopg2.connect(dsn)
        with made.cursor() as cursor:
            names = sql.SQL(", ").join(map(sql.Identifier, search_path))
            cursor.execute(sql.SQL("SET search_path TO {}").format(names))
        made.commit()
        return made

    with chosen.unchanged() as file:
        proof = verify(plan, file, connect, jobs=jobs, saved=saved)
        is_final = proof.is_equal or file != chosen.file or not chosen.has_changed
    if chosen.is_snapshot or is_final:
        return proof
    # Somebody wrote to the file while it was compared. Now it is a copy.
    with chosen.unchanged() as file:
        return verify(plan, file, connect, jobs=jobs, saved=saved)
