"""SQLite against PostgreSQL: the same service, the same people, the same requests.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.engines [--full]

Both write safely: what is acknowledged survives a crash of the machine. For each mix and number of
clients the engines are measured right after each other, so that a machine that is busy with others
is so for both.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import generator, measuring, results, service, tables, world
from benchmarks.load.generator import Load, Request
from benchmarks.load.measuring import Figure
from benchmarks.load.mixes import MIXES, mixed
from benchmarks.load.results import Options, Recording, say
from benchmarks.load.service import Serving
from benchmarks.load.world import Person
from tests.servers import Servers

SECONDS = 5
CLIENTS, ALL_CLIENTS = (1, 8, 32), (1, 2, 4, 8, 16, 32, 64, 128)
WORKERS, ALL_WORKERS = (2,), (1, 2, 4)
PEOPLE, DIAGRAMS, CALLS = 400, 20, 200_000
ENGINES = ("sqlite", "postgresql")
# While the others send theirs, one client more asks for a report again and again.
REPORTED = "saves beside a report"


@dataclass(frozen=True)
class Contender:
    """The service with one of the engines, and who uses it."""

    serving: Serving
    # The database's container; None where it is a file.
    database_id: str | None
    folk: Sequence[Person]
    administrator: Person


def main() -> None:
    options = results.options(__doc__, seconds=SECONDS)
    recording = Recording("engines", dataclasses.asdict(options))
    say(f"generator: {generator.ensure()}; {options.seconds} s each after a warm-up")
    rows: list[dict[str, Any]] = []
    for workers in ALL_WORKERS if options.full else WORKERS:
        with measuring.servers() as servers:
            recording.meet(servers)
            rows += list(measured(servers, workers, options))
            # What is there counts, should a later part fail.
            recording.keep(rows)
    for line in tables.engines(rows):
        say(line)


def measured(servers: Servers, workers: int, options: Options) -> Iterator[dict[str, Any]]:
    with ExitStack() as closing:
        found = {name: closing.enter_context(contender(servers, name, workers)) for name in ENGINES}
        for mix in MIXES:
            requests = {name: mixed(one.folk, mix) for name, one in found.items()}
            for clients in ALL_CLIENTS if options.full else CLIENTS:
                row: dict[str, Any] = {"mix": mix, "workers": workers, "clients": clients}
                yield row | compared(mix, found, requests, clients, options)
                say(f"{mix}, {workers} workers, {clients} clients")


def compared(
    mix: str,
    found: dict[str, Contender],
    requests: dict[str, list[Request]],
    clients: int,
    options: Options,
) -> dict[str, Any]:
    """The engines' figures, and those of the reports where there are any."""
    figures: dict[str, list[Figure]] = {name: [] for name in found}
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in found}
    for _ in range(options.rounds):
        for name, one in found.items():
            if mix == REPORTED:
                figure, report = beside_report(one, requests[name], clients, options.seconds)
                reports[name].append(dataclasses.asdict(report))
            else:
                figure = measure(one, requests[name], clients, options.seconds)
            figures[name].append(figure)
    return {
        "engines": {name: measuring.kept(rounds) for name, rounds in figures.items()},
        "reports": {name: rounds for name, rounds in reports.items() if rounds},
    }


def measure(
    contender: Contender, requests: Sequence[Request], clients: int, seconds: int
) -> Figure:
    return measuring.measure(
        contender.serving,
        requests,
        clients=clients,
        seconds=seconds,
        database_id=contender.database_id,
    )


def beside_report(
    contender: Contender, requests: Sequence[Request], clients: int, seconds: int
) -> tuple[Figure, Load]:
    report = [world.report(contender.administrator)]
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(
            generator.run,
            contender.serving.port,
            report,
            clients=1,
            seconds=measuring.WARM_UP_S + seconds,
        )
        return measure(contender, requests, clients, seconds), asking.result()


@contextmanager
def contender(servers: Servers, engine: str, workers: int) -> Iterator[Contender]:
    with tempfile.TemporaryDirectory(prefix="mindgraph-bench-") as folder:
        place: str | Path = Path(folder) if engine == "sqlite" else "mindgraph"
        # Each with a part of Redis of its own.
        number = ENGINES.index(engine)
        settings = service.settings_for(
            servers, place, data_dir=Path(folder), web_workers=workers, redis_db=number
        )
        with service.serving(settings) as found:
            folk = world.people(settings, PEOPLE, DIAGRAMS)
            world.use_models(settings, folk, CALLS)
            (administrator,) = world.people(settings, 1, 0, role="admin")
            database_id = None if engine == "sqlite" else servers.postgres_id
            yield Contender(found, database_id, folk, administrator)


if __name__ == "__main__":
    main()
