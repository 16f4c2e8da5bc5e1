"""What the index on token_usage.created_at costs and brings: BRIN, B-tree, and none.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.usage_index [ROWS]

The rows are spread over a year and come in the order of their time, as the recorder stores them.
Each kind of index has a copy of the same database to itself, on one PostgreSQL that runs in memory;
every figure is a median of rounds in which all kinds take their turn.
"""

from __future__ import annotations

import functools
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from psycopg2 import extensions

from app.clock import now
from app.db import engine as engines
from app.db.session import Database
from app.usage import service
from app.usage.schemas import StatisticsAsked
from app.users import service as users
from app.users.schemas import UserOut
from benchmarks import images
from tests import databases
from tests.people import ROOT
from tests.servers import Run, Servers, this_process

DAY = timedelta(days=1)
ROUNDS = 7
NEW_ROWS = 50_000
PERIODS = (30, 300)
INDEX = "ix_token_usage_created_at"
KINDS = {
    "BRIN": f"CREATE INDEX {INDEX} ON token_usage USING brin (created_at)",
    "B-tree": f"CREATE INDEX {INDEX} ON token_usage (created_at)",
    "none": "SELECT 1",
}
# As wide as rows are.
INSERT = """
    INSERT INTO token_usage (event_id, user_id, organization_id, model_provider, model_name,
        input_tokens, output_tokens, total_tokens, total_cost, request_type, created_at)
    SELECT gen_random_uuid()::text, 1 + n %% 4, 1 + n %% 4, 'dashscope', 'qwen-plus',
        n %% 4000, n %% 900, n %% 4000 + n %% 900, 0.001, 'diagram_generation',
        %(start)s + n * (%(span)s / %(rows)s)
    FROM generate_series(1, %(rows)s) AS n"""


class Candidate:
    """A database with one kind of index."""

    def __init__(self, servers: Servers, name: str, cursor: extensions.cursor) -> None:
        self.cursor = cursor
        self.database = Database(
            engines.build(databases.settings_of(servers, name), name="bench", threads=1)
        )
        with self.database.read() as session:
            self.root = UserOut.model_validate(users.get(session, ROOT.id))
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def take_turn(self, number: int) -> None:
        for days in PERIODS:
            self._time(f"{days} days", functools.partial(self._ask, days))
        self._time("insert", lambda: insert(self.cursor, NEW_ROWS, now(), DAY))
        kept = 365 - 10 * (number + 1)
        self._time("retention", lambda: sum(service.retain(self.database, days=kept)))

    def size(self) -> str:
        return str(one(self.cursor, f"SELECT pg_size_pretty(pg_relation_size('{INDEX}'))"))

    def plan(self, days: int) -> str:
        """How the server finds the rows of the last days."""
        self.cursor.execute(
            "EXPLAIN SELECT sum(total_tokens) FROM token_usage "
            "WHERE created_at >= now() - make_interval(days => %s) AND created_at < now()",
            (days,),
        )
        steps = "".join(line for (line,) in self.cursor.fetchall())
        return next(name for name in ("Bitmap", "Index", "Seq") if f"{name} " in steps)

    def _ask(self, days: int) -> None:
        """Everybody's statistics by day, as the service makes them."""
        last = (now() - DAY).date()
        asked = {"from": str(last - (days - 1) * DAY), "to": str(last), "scope": "everybody"}
        wanted = StatisticsAsked.model_validate(asked)
        assert len(service.statistics(self.database, self.root, wanted).rows) == days

    def _time(self, what: str, action: Callable[[], object]) -> None:
        began = time.monotonic()
        action()
        self.seconds[what].append(time.monotonic() - began)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with ExitStack() as stack:
        servers = stack.enter_context(server())
        base = stack.enter_context(databases.on_server(servers, databases.READY))
        with connected(servers, base) as cursor:
            cursor.execute(f"DROP INDEX {INDEX}")
            insert(cursor, rows, now() - 365 * DAY, 365 * DAY)
            cursor.execute("VACUUM (ANALYZE, FREEZE) token_usage")
            table = one(cursor, "SELECT pg_size_pretty(pg_table_size('token_usage'))")
        candidates = {kind: stack.enter_context(candidate(servers, base, kind)) for kind in KINDS}
        sizes = {kind: "-" if kind == "none" else candidates[kind].size() for kind in KINDS}
        plans = {kind: [made.plan(days) for days in PERIODS] for kind, made in candidates.items()}
        for number in range(ROUNDS):
            for made in candidates.values():
                made.take_turn(number)
        lines = [f"{rows} rows in {table}", *report(candidates, sizes, plans)]
    sys.stdout.write("\n".join([*lines, ""]))


@contextmanager
def server() -> Iterator[Servers]:
    images.ensure_named()
    folder = Path(tempfile.mkdtemp(prefix="mindgraph-bench-"))
    run = Run(folder, this_process())
    try:
        yield run.servers(lambda started: databases.prepare_templates(started, folder))
    finally:
        run.remove()
        shutil.rmtree(folder)


@contextmanager
def connected(servers: Servers, name: str) -> Iterator[extensions.cursor]:
    with databases.superuser(servers, name) as connection, connection.cursor() as made:
        yield made


@contextmanager
def candidate(servers: Servers, base: str, kind: str) -> Iterator[Candidate]:
    with databases.on_server(servers, base) as name, connected(servers, name) as cursor:
        cursor.execute(KINDS[kind])
        # The servers of tests avoid it, so that small tables use their indexes.
        cursor.execute("SET enable_seqscan = on")
        cursor.execute(f'ALTER DATABASE "{name}" SET enable_seqscan = on')
        cursor.execute("ANALYZE token_usage")
        made = Candidate(servers, name, cursor)
        yield made
        made.database.close()


def insert(cursor: extensions.cursor, rows: int, start: datetime, span: timedelta) -> None:
    cursor.execute(INSERT, {"rows": rows, "start": start, "span": span})


def one(cursor: extensions.cursor, statement: str) -> object:
    cursor.execute(statement)
    row = cursor.fetchone()
    return row[0] if row else None


def report(
    candidates: dict[str, Candidate], sizes: dict[str, str], plans: dict[str, list[str]]
) -> Iterator[str]:
    yield f"{'index':<8}{'size':>8}{'30 days':>18}{'300 days':>18}{'insert':>12}{'retention':>12}"
    for kind, made in candidates.items():
        middle = {what: statistics.median(found) for what, found in made.seconds.items()}
        asked = "".join(
            f"{middle[f'{days} days'] * 1000:>8.0f} ms {plan:<6}"
            for days, plan in zip(PERIODS, plans[kind], strict=True)
        )
        kept = f"{middle['insert'] * 1000:>9.0f} ms{middle['retention'] * 1000:>9.0f} ms"
        yield f"{kind:<8}{sizes[kind]:>8} {asked}{kept}"
    yield f"insert: {NEW_ROWS} rows in one statement; retention: the rows of 10 days"


if __name__ == "__main__":
    main()
