"""What the database itself can do at the most: pgbench beside the server, with one statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load import containers
from benchmarks.load.generator import Request
from benchmarks.load.measuring import Figure
from benchmarks.load.world import Person
from tests.servers import Servers

# Takes clients, seconds and statements; says how many transactions a second there were, without the
# time for connecting, and how many microseconds each took.
SCRIPT = """
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
clients=$1 seconds=$2
shift 2
files=()
for statement in "$@"; do
    printf '%s;\\n' "$statement" >"$folder/${#files[@]}.sql"
    files+=("--file=$folder/${#files[@]}.sql")
done
pgbench --no-vacuum --client="$clients" --time="$seconds" \\
    --log --log-prefix="$folder/log" "${files[@]}" | awk '/^tps = / { print $3 }'
awk '{ print $3 }' "$folder"/log.*
"""
INSERT = (
    "INSERT INTO bare (id, title, diagram_type, spec) VALUES"
    " (gen_random_uuid()::text, {title}, {diagram_type}, {spec})"
)
SELECT = (
    "SELECT id, title, diagram_type, language, is_pinned, version, created_at, updated_at, spec"
    " FROM diagrams WHERE id = '{id}' AND user_id = {owner} AND NOT is_deleted"
)
# As many as pgbench takes scripts, less some.
DIAGRAMS = 100


@dataclass(frozen=True)
class Transactions:
    """What pgbench did, without the time for connecting."""

    per_second: float
    # Ascending.
    took_ms: Sequence[float]

    def latencies(self) -> dict[str, float]:
        shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
        return {name: percentile(self.took_ms, share) for name, share in shares.items()}


def inserting(servers: Servers, creation: Request, *, clients: int, seconds: int) -> Figure:
    """Of the row that a request of `world.creations` makes."""
    body = json.loads(creation.body)
    values = {name: _literal(value) for name, value in body.items()}
    return _measured(servers, [INSERT.format(**values)], clients, seconds)


def selecting(servers: Servers, folk: Sequence[Person], *, clients: int, seconds: int) -> Figure:
    """Of single diagrams, as their owner reads them."""
    return _measured(servers, reads(folk), clients, seconds)


def reads(folk: Sequence[Person]) -> list[str]:
    """Statements, each of which reads a diagram of another person."""
    return [SELECT.format(id=one.diagrams[0], owner=one.id) for one in folk[:DIAGRAMS]]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of ascending numbers, the least that `share` of them don't exceed; 0 without any."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def pgbench(
    servers: Servers, statements: Sequence[str], clients: int, seconds: int, host: str = "127.0.0.1"
) -> Transactions:
    """Runs it in the container of the server. Raises CommandFailed."""
    said = containers.run(
        servers.postgres_id,
        ["bash", "-c", SCRIPT, "pgbench", str(clients), str(seconds), *statements],
        {
            "PGDATABASE": "mindgraph",
            "PGHOST": host,
            "PGPASSWORD": servers.app_password,
            "PGUSER": "mindgraph_user",
        },
    )
    per_second, *took_us = said.split()
    return Transactions(float(per_second), sorted(int(one) / 1e3 for one in took_us))


def _measured(servers: Servers, statements: Sequence[str], clients: int, seconds: int) -> Figure:
    before = containers.cpu_s(servers.postgres_id)
    done = pgbench(servers, statements, clients, seconds)
    used_s = containers.cpu_s(servers.postgres_id) - before
    return Figure(
        **done.latencies(),
        per_second=done.per_second,
        # The generator's is in it: both run in the container.
        cpu_ms=used_s / max(len(done.took_ms), 1) * 1e3,
        generator_cores=0.0,
        database_cores=used_s / seconds,
        failed={},
    )


def _literal(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"
