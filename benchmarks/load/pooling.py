"""What connections cost, directly and through PgBouncer in each of its modes.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.pooling

Most connections are idle, after one statement each. Beside them, busy ones of pgbench read single
diagrams.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import psycopg2
from psycopg2 import extensions

from benchmarks.load import containers, floors, measuring, places, poolers, results, tables
from benchmarks.load.results import Recording, say
from tests.servers import Servers

SECONDS = 5
CONNECTIONS = (10, 100, 500, 1_000)
BUSY = 16
# Production's.
POOL_SIZE = 20
MODES = ("session", "transaction")
MOST = max(CONNECTIONS) + BUSY + 50
OPTIONS = measuring.OPTIONS.replace("max_connections=200", f"max_connections={MOST + 50}")
PEOPLE, DIAGRAMS = 100, 20


def main() -> None:
    options = results.options(__doc__, seconds=SECONDS)
    parameters = dataclasses.asdict(options) | {"busy": BUSY, "pool_size": POOL_SIZE}
    recording = Recording("pooling", parameters)
    places.allow_many_connections()
    with places.filled(PEOPLE, DIAGRAMS, OPTIONS) as place:
        recording.meet(place.servers)
        statements = floors.reads(place.folk)
        rows = list(measured(place.servers, statements, options.seconds))
    recording.keep(rows)
    for line in tables.pooling(rows):
        say(line)


def measured(servers: Servers, statements: Sequence[str], seconds: int) -> Iterator[dict[str, Any]]:
    for count in CONNECTIONS:
        row = loaded(servers, statements, seconds, count, "127.0.0.1", servers.postgres_port)
        yield {"way": "direct", "connections": count} | row
        for mode in MODES:
            # Each session needs a connection of its own.
            size = count + BUSY if mode == "session" else POOL_SIZE
            with poolers.pooler(servers, mode, size, MOST) as (host, port):
                row = loaded(servers, statements, seconds, count, host, port)
            yield {"way": mode, "connections": count} | row
        say(f"{count} connections")


def loaded(
    servers: Servers, statements: Sequence[str], seconds: int, count: int, host: str, port: int
) -> dict[str, Any]:
    """With `count` idle connections to the port, and busy ones to the host beside them."""
    with ExitStack() as stack:
        idle, took_ms = opened(servers, port, count, stack)
        memory_mb = containers.memory_mb(servers.postgres_id)
        # The pooler makes its own connections when they are first needed.
        floors.pgbench(servers, statements, BUSY, measuring.WARM_UP_S, host)
        done = floors.pgbench(servers, statements, BUSY, seconds, host)
        return {
            "refused": count - len(idle),
            "connect_ms": statistics.median(took_ms),
            "per_second": done.per_second,
            **done.latencies(),
            "memory_mb": memory_mb,
        }


def opened(
    servers: Servers, port: int, count: int, stack: ExitStack
) -> tuple[list[extensions.connection], list[float]]:
    """Connections that have had a statement, and how long each took to be made."""
    made, took_ms = [], []
    for _ in range(count):
        began = time.monotonic()
        try:
            connection = stack.enter_context(closing(poolers.connect(servers, port)))
        except psycopg2.OperationalError:
            continue
        took_ms.append((time.monotonic() - began) * 1e3)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM users")
        made.append(connection)
    return made, took_ms


if __name__ == "__main__":
    main()
