"""What becomes of the service when far more is asked than it can answer, and afterwards.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.overload

Clients never wait between two requests, so with more of them more is offered. The answers of a few
others, who ask at the same time, tell how long good answers take: the generator's times have the
refusals in them.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.load import generator, places, results, tables, watching, world
from benchmarks.load.floors import percentile
from benchmarks.load.generator import Request
from benchmarks.load.mixes import mixed
from benchmarks.load.places import Place
from benchmarks.load.results import Recording, say
from benchmarks.load.watching import Watched

# With a thousand clients the first answers come after many seconds, all at once.
SECONDS = 30
CLIENTS = (4, 16, 64, 256, 1_024)
WATCHERS = 4
PEOPLE, DIAGRAMS = 400, 20
# So many answers in a row that are as fast as without a load.
CALM = 10
# Nobody waits longer for that.
PATIENCE_S = 120


def main() -> None:
    options = results.options(__doc__, seconds=SECONDS)
    parameters = dataclasses.asdict(options) | {"workers": places.WORKERS, "watchers": WATCHERS}
    recording = Recording("overload", parameters)
    say(f"generator: {generator.ensure()}")
    places.allow_many_connections()
    with places.filled(PEOPLE, DIAGRAMS) as place:
        recording.meet(place.servers)
        rows = list(measured(place, options.seconds))
    most = max(row["per_second"] for row in rows)
    rows = [row | {"share_of_peak": row["per_second"] / max(most, 0.01)} for row in rows]
    recording.keep(rows)
    for line in tables.overload(rows):
        say(line)


def measured(place: Place, seconds: int) -> Iterator[dict[str, Any]]:
    port = place.serving.port
    requests = mixed(place.folk, "mixed")
    reads = world.reads(place.folk, 1)
    generator.run(port, requests, clients=CLIENTS[0], seconds=2)
    fast_ms = 2 * percentile(sorted(alone(port, reads[:100])), 0.95)
    for clients in CLIENTS:
        with watching.watching(port, reads, WATCHERS) as watched:
            load = generator.run(port, requests, clients=clients, seconds=seconds)
            over = time.monotonic()
        yield {
            "clients": clients,
            "per_second": load.per_second,
            "statuses": load.statuses,
            "failed": load.failed,
            "all_p50_ms": load.p50_ms,
            "all_p99_ms": load.p99_ms,
            "watched": watched.summary(),
            "fast_ms": fast_ms,
            "recovered_s": recovered_s(port, reads, fast_ms, over),
        }
        say(f"{clients} clients")


def alone(port: int, requests: Sequence[Request]) -> list[float]:
    with watching.client(port) as asking:
        return [watching.ask(asking, one, Watched()) for one in requests]


def recovered_s(
    port: int, requests: Sequence[Request], fast_ms: float, over: float
) -> float | None:
    """Seconds from the end of the load to the first of the fast answers in a row."""
    calm, began = 0, over
    with watching.client(port) as asking:
        while time.monotonic() - over < PATIENCE_S:
            watched = Watched()
            asked_at = time.monotonic()
            took_ms = watching.ask(asking, requests[calm % len(requests)], watched)
            if watched.failed or took_ms > fast_ms:
                calm = 0
                continue
            began = asked_at if calm == 0 else began
            calm += 1
            if calm == CALM:
                return began - over
    return None


if __name__ == "__main__":
    main()
