"""How long the stack takes to start, beside the least that its servers need.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.start_times [RUNS]

The floor: PostgreSQL (initdb and start), Redis and Qdrant alone, one after the other, each in a
bare container of its base image, until it answers. "in" counts from the first command inside of the
container, "with" from `docker run`. Every figure is a median.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from tests.stack.stacks import SERVICES, Stack

BARE = {
    "postgres": """
        initdb --pgdata "$PGDATA" --username postgres --data-checksums --auth trust >/dev/null
        pg_ctl --pgdata "$PGDATA" --wait --silent --log /tmp/log start
        psql --username postgres --quiet --command 'SELECT 1' >/dev/null""",
    "redis": """
        cd /data
        redis-server --appendonly yes --daemonize yes >/dev/null
        until [ "$(redis-cli ping 2>/dev/null)" = PONG ]; do sleep 0.01; done""",
    "qdrant": """
        ./entrypoint.sh >/dev/null 2>&1 &
        ready() {
            exec 3<>/dev/tcp/127.0.0.1/6333 || return 1
            printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3
            grep --quiet 'HTTP/1.[01] 200' <&3
        }
        until (ready) 2>/dev/null; do sleep 0.01; done""",
}
USERS = {"postgres": "postgres", "redis": "redis", "qdrant": "1000:1000"}


class Floor(NamedTuple):
    inside: float
    outside: float


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    bases = base_images()
    floors: dict[str, list[Floor]] = {name: [] for name in BARE}
    starts: dict[str, list[float]] = {"cold": [], "again": [], "warm": []}
    for _ in range(runs):
        # In turn, so that other work of the machine slows both.
        for name, found in floors.items():
            found.append(bare_start(bases[name], name))
        with Stack() as stack:
            starts["cold"].append(timed(stack.up))
            events = timeline(stack)
            starts["again"].append(timed(stack.up))
            stack.down()
            starts["warm"].append(timed(stack.up))
    lines = [*floor_table(floors), "", *start_table(starts, floors), "", *timeline_table(events)]
    sys.stdout.write("\n".join([*lines, ""]))


def base_images() -> dict[str, str]:
    with Stack() as stack:
        config = json.loads(stack.compose("config", "--format", "json").stdout)
    return {name: config["services"][name]["build"]["args"]["BASE_IMAGE"] for name in BARE}


def bare_start(image: str, service: str) -> Floor:
    script = f"set -e; first=$(date +%s%N); {BARE[service]}\necho $(($(date +%s%N) - first)); cat"
    began = time.monotonic()
    with subprocess.Popen(
        [
            *("docker", "run", "--rm", "--interactive", "--user", USERS[service]),
            *("--entrypoint", "bash", image, "-c", script),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as container:
        assert container.stdin
        assert container.stdout
        inside = container.stdout.readline()
        outside = time.monotonic() - began
        # `cat` ends, and the container with it.
        container.stdin.close()
    if not inside.strip():
        raise SystemExit(f"{service} did not start in a bare container of {image}; see above")
    return Floor(int(inside) / 1e9, outside)


def timed(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def floor_table(floors: dict[str, list[Floor]]) -> Iterator[str]:
    yield f"{'floor':<34}{'in':>9}{'with':>9}"
    for name, runs in floors.items():
        what = "PostgreSQL, initdb and start" if name == "postgres" else f"{name}, start"
        yield f"{what:<34}{middle(runs, 0):>8.2f}s{middle(runs, 1):>8.2f}s"
    inside, outside = sums(floors)
    yield f"{'one after the other':<34}{inside:>8.2f}s{outside:>8.2f}s"


def start_table(starts: dict[str, list[float]], floors: dict[str, list[Floor]]) -> Iterator[str]:
    names = {
        "cold": "cold: no data, five healthy",
        "warm": "warm: data is there, five healthy",
        "again": "`up` with nothing to do",
    }
    inside, outside = sums(floors)
    yield f"{'stack':<34}{'median':>9}{'least':>9}{'most':>9}{'floor in':>10}{'floor with':>12}"
    for name, label in names.items():
        median = statistics.median(starts[name])
        yield (
            f"{label:<34}{median:>8.2f}s{min(starts[name]):>8.2f}s{max(starts[name]):>8.2f}s"
            f"{median / inside:>9.1f}x{median / outside:>11.1f}x"
        )


def middle(runs: list[Floor], index: int) -> float:
    return statistics.median(one[index] for one in runs)


def sums(floors: dict[str, list[Floor]]) -> tuple[float, float]:
    inside = sum(middle(runs, 0) for runs in floors.values())
    return inside, sum(middle(runs, 1) for runs in floors.values())


def timeline(stack: Stack) -> list[tuple[datetime, str, str]]:
    """What happened when in the last cold start, in order."""
    events = []
    for service in SERVICES:
        container: dict[str, Any] = stack.container(service).attrs
        state = container["State"]
        probes = [probe for probe in state["Health"]["Log"] if probe["ExitCode"] == 0]
        events += [
            (instant(container["Created"]), service, "created"),
            (instant(state["StartedAt"]), service, "started"),
            (instant(probes[0]["End"]), service, "healthy"),
        ]
    for line in stack.compose("logs", "--no-log-prefix", "--timestamps", "app").stdout.splitlines():
        stamp, _, said = line.partition(" ")
        events.append((instant(stamp), "app", said[:90]))
    return sorted(events)


def instant(text: str) -> datetime:
    # Python reads no more than six digits of a second, Docker writes nine with zeros cut off.
    seconds, _, rest = text.removesuffix("Z").partition(".")
    zone = "+" + rest.partition("+")[2] if "+" in rest else "+00:00"
    return datetime.fromisoformat(f"{seconds}.{rest.partition('+')[0][:6]:0<6}{zone}")


def timeline_table(events: list[tuple[datetime, str, str]]) -> Iterator[str]:
    yield "the last cold start, seconds from the first container"
    for at, service, what in events:
        yield f"{(at - events[0][0]).total_seconds():>7.2f}  {service:<9} {what}"


if __name__ == "__main__":
    main()
