"""Whether the service stays as it is over time: a steady load of half of what it can.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.soak

`--seconds` are those of all of it. What counts is the last quarter beside the first.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import psutil

from benchmarks.load import generator, places, results, tables
from benchmarks.load.generator import Load, Request
from benchmarks.load.mixes import mixed
from benchmarks.load.places import Place
from benchmarks.load.results import Recording, say
from tests import databases

SECONDS = 20 * 60
# Between two looks.
STEP_S = 10
CLIENTS = 16
PEOPLE, DIAGRAMS = 400, 20
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mindgraph_user'"


def main() -> None:
    options = results.options(__doc__, seconds=SECONDS)
    parameters = dataclasses.asdict(options) | {"clients": CLIENTS, "workers": places.WORKERS}
    recording = Recording("soak", parameters)
    say(f"generator: {generator.ensure()}")
    with places.filled(PEOPLE, DIAGRAMS) as place:
        recording.meet(place.servers)
        requests = mixed(place.folk, "mixed")
        generator.run(place.serving.port, requests, clients=CLIENTS, seconds=2)
        full = generator.run(place.serving.port, requests, clients=CLIENTS, seconds=STEP_S)
        rate = full.per_second / 2
        say(f"it can {full.per_second:.0f} requests a second, and gets {rate:.0f}")
        samples = list(sampled(place, requests, pause_ms(rate, full), options.seconds))
    found = {
        "capacity": full.per_second,
        "rate": rate,
        "samples": samples,
        "quarters": quarters(samples),
    }
    recording.keep(found)
    for line in tables.soak(found):
        say(line)


def pause_ms(rate: float, full: Load) -> float:
    """How long clients wait so that they send `rate` requests a second together."""
    # With half of the load an answer takes less than with all of it.
    return max(CLIENTS / rate * 1e3 - full.p50_ms / 4, 1)


def sampled(
    place: Place, requests: Sequence[Request], pause: float, seconds: int
) -> Iterator[dict[str, Any]]:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        load = generator.run(
            place.serving.port, requests, clients=CLIENTS, seconds=STEP_S, pause_ms=pause
        )
        yield {
            "minute": round((time.monotonic() - began) / 60, 2),
            "per_second": load.per_second,
            "p50_ms": load.p50_ms,
            "p99_ms": load.p99_ms,
            "failed": load.failed,
            "memory_mb": memory_of_workers(place),
            "connections": connections(place),
        }


def memory_of_workers(place: Place) -> dict[str, float]:
    """What each has in memory, by its pid: with another one, a worker was replaced."""
    found = {}
    for worker in place.serving.process.children():
        with suppress(psutil.NoSuchProcess):
            found[f"worker {worker.pid}"] = worker.memory_info().rss / 2**20
    return found


def connections(place: Place) -> int:
    with databases.superuser(place.servers) as connection, connection.cursor() as cursor:
        cursor.execute(CONNECTIONS)
        return int((cursor.fetchone() or [0])[0])


def quarters(samples: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Medians of the first and of the last quarter."""
    some = max(1, len(samples) // 4)
    return {"first": _medians(samples[:some]), "last": _medians(samples[-some:])}


def _medians(samples: Sequence[dict[str, Any]]) -> dict[str, float]:
    names = ("per_second", "p50_ms", "p99_ms", "connections")
    found = {name: statistics.median(one[name] for one in samples) for name in names}
    memory_mb = statistics.median(sum(one["memory_mb"].values()) for one in samples)
    return found | {"memory_mb": memory_mb}


if __name__ == "__main__":
    main()
