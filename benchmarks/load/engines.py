"""SQLite against PostgreSQL: the same service, the same people, the same requests.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.engines [SECONDS]

Both write safely: what is acknowledged survives a crash of the machine. For each mix and number of
clients the engines are measured right after each other, so that a machine that is busy with others
is so for both.
"""

from __future__ import annotations

import dataclasses
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.load import generator, measuring, service, world
from benchmarks.load.generator import Request
from benchmarks.load.measuring import Figure, say
from benchmarks.load.service import Serving
from benchmarks.load.world import Person
from tests.servers import Servers

SECONDS = 5
CLIENTS = (1, 8, 32, 128)
WORKERS = (1, 2)
PEOPLE, DIAGRAMS = 400, 20
ENGINES = ("sqlite", "postgresql")
# Of each kind so many in a hundred requests.
MIXES = {
    "reading": {"reads": 70, "lists": 20, "searches": 5, "saves": 5},
    "mixed": {"reads": 45, "lists": 15, "saves": 25, "usages": 15},
    "writing": {"creations": 40, "saves": 40, "usages": 20},
}


@dataclasses.dataclass(frozen=True)
class Row:
    mix: str
    workers: int
    clients: int
    # By the engine.
    figures: dict[str, Figure]


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    say(f"generator: {generator.ensure()}; {seconds} s each after a warm-up")
    rows = []
    for workers in WORKERS:
        with measuring.servers() as servers:
            rows += list(measured(servers, workers, seconds))
    for line in table(rows):
        say(line)
    measuring.keep("engines", [dataclasses.asdict(row) for row in rows])


def measured(servers: Servers, workers: int, seconds: int) -> Iterator[Row]:
    with ExitStack() as closing:
        found = {
            name: closing.enter_context(full_service(servers, name, workers)) for name in ENGINES
        }
        for mix, shares in MIXES.items():
            requests = {name: mixed(folk, shares) for name, (_, folk) in found.items()}
            for clients in CLIENTS:
                figures = {
                    name: measuring.measure(
                        serving, requests[name], clients=clients, seconds=seconds
                    )
                    for name, (serving, _) in found.items()
                }
                yield Row(mix, workers, clients, figures)
                say(f"{mix}, {workers} workers, {clients} clients")


@contextmanager
def full_service(
    servers: Servers, engine: str, workers: int
) -> Iterator[tuple[Serving, list[Person]]]:
    with tempfile.TemporaryDirectory(prefix="mindgraph-bench-") as folder:
        place: str | Path = Path(folder) if engine == "sqlite" else "mindgraph"
        # Each with a part of Redis of its own.
        number = ENGINES.index(engine)
        settings = service.settings_for(
            servers, place, data_dir=Path(folder), web_workers=workers, redis_db=number
        )
        with service.serving(settings) as found:
            yield found, world.people(settings, PEOPLE, DIAGRAMS)


def mixed(folk: Sequence[Person], shares: dict[str, int]) -> list[Request]:
    chance = random.Random(7)  # noqa: S311 - no secret
    kinds = {name: getattr(world, name)(folk) for name in shares}
    names = chance.choices(list(shares), list(shares.values()), k=4_000)
    return [chance.choice(kinds[name]) for name in names]


def table(rows: Sequence[Row]) -> Iterator[str]:
    head = "requests | workers | clients"
    each = " | ".join(f"{name}: a second | p50, ms | p99, ms | failed" for name in ENGINES)
    yield f"| {head} | {each} | PostgreSQL / SQLite |"
    yield "| --- " * (4 + 4 * len(ENGINES)) + "|"
    for row in rows:
        cells = []
        for name in ENGINES:
            one = row.figures[name]
            cells += [f"{one.per_second:.0f}", f"{one.p50_ms:.0f}", f"{one.p99_ms:.0f}"]
            cells += [f"{one.failed}"]
        slow, fast = (row.figures[name].per_second for name in ENGINES)
        cells.append(f"{fast / max(slow, 0.01):.2f}")
        yield f"| {row.mix} | {row.workers} | {row.clients} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
