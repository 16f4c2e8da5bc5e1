"""The main requests beside what limits them: the bare framework, and one INSERT without the rest.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.limits [SECONDS]

Everything of a round is measured right after each other, each round anew, and what counts is the
median of the rounds: the machine may be busy with others. Processor time a request changes less
with that than requests a second do.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.settings import Settings
from benchmarks.load import generator, measuring, service, world
from benchmarks.load.generator import Request
from benchmarks.load.measuring import Figure, say
from benchmarks.load.service import Serving
from benchmarks.load.world import Person
from tests import databases
from tests.servers import HOST

SECONDS = 4
ROUNDS = 3
CLIENTS = 16
WORKERS = 2
PEOPLE, DIAGRAMS = 400, 20
TABLE = "CREATE TABLE bare (id text PRIMARY KEY, title text, diagram_type text, spec jsonb)"
GRANT = "GRANT ALL ON bare TO mindgraph_user"
# What stands beside each request of the service.
FRAMEWORK, INSERTING = "the bare framework's answer", "the bare framework's INSERT"
BESIDE = {
    "read a diagram, from the cache": FRAMEWORK,
    "list 20 diagrams": FRAMEWORK,
    "search one's diagrams": FRAMEWORK,
    "create a diagram": INSERTING,
    "save a diagram": INSERTING,
    "record usage": INSERTING,
}
REQUESTS: dict[str, Callable[[Sequence[Person]], list[Request]]] = {
    "read a diagram, from the cache": world.reads,
    "list 20 diagrams": world.lists,
    "search one's diagrams": world.searches,
    "create a diagram": world.creations,
    "save a diagram": world.saves,
    "record usage": world.usages,
}


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    say(f"generator: {generator.ensure()}; {CLIENTS} clients, {WORKERS} workers, {ROUNDS} rounds")
    rounds: dict[str, list[Figure]] = {}
    with full_service() as (settings, folk, answer):
        for number in range(ROUNDS):
            for name, figure in measured(settings, folk, answer, seconds):
                rounds.setdefault(name, []).append(figure)
            say(f"round {number + 1} of {ROUNDS} is over")
    found = {name: measuring.median(figures) for name, figures in rounds.items()}
    for line in table(found):
        say(line)
    plain = {name: dataclasses.asdict(figure) for name, figure in found.items()}
    measuring.keep("limits", plain)


@contextmanager
def full_service() -> Iterator[tuple[Settings, list[Person], str]]:
    """Settings of a service on a full database, who uses it, and one answer of it."""
    with measuring.servers() as servers, tempfile.TemporaryDirectory() as folder:
        settings = service.settings_for(
            servers, "mindgraph", data_dir=Path(folder), web_workers=WORKERS
        )
        with service.serving(settings) as found:
            folk = world.people(settings, PEOPLE, DIAGRAMS)
            answer = one_answer(found, folk[0])
        with databases.superuser(servers, "mindgraph") as connection, connection.cursor() as cursor:
            cursor.execute(f"{TABLE}; {GRANT}")
        yield settings, folk, answer


def one_answer(found: Serving, person: Person) -> str:
    url = f"http://{HOST}:{found.port}/api/diagrams/{person.diagrams[0]}"
    answer = httpx.get(url, headers=dict(person.headers()), trust_env=False)
    answer.raise_for_status()
    return answer.text


def measured(
    settings: Settings, folk: Sequence[Person], answer: str, seconds: int
) -> Iterator[tuple[str, Figure]]:
    with service.peer("framework", settings, answer) as found:
        yield FRAMEWORK, measure(found, [Request("GET", "/answer")], seconds)
    with service.serving(settings) as found:
        for name, requests in REQUESTS.items():
            yield name, measure(found, requests(folk), seconds)
    with service.peer("inserting", settings) as found:
        bodies = [Request("POST", "/bare", (), one.body) for one in world.creations(folk)]
        yield INSERTING, measure(found, bodies, seconds)


def measure(found: Serving, requests: Sequence[Request], seconds: int) -> Figure:
    return measuring.measure(found, requests, clients=CLIENTS, seconds=seconds)


def table(found: dict[str, Figure]) -> Iterator[str]:
    yield "| request | a second | processor time, ms | p50, ms | p99, ms | beside | share of it |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, one in found.items():
        beside = BESIDE.get(name)
        limit, share = "", ""
        if beside:
            limit, share = beside, f"{one.per_second / found[beside].per_second:.2f}"
        row = f"{one.per_second:.0f} | {one.cpu_ms:.2f} | {one.p50_ms:.0f} | {one.p99_ms:.0f}"
        yield f"| {name} | {row} | {limit} | {share} |"
    busiest = max(one.generator_cores for one in found.values())
    failed = sum(one.failed for one in found.values())
    yield f"generator: {busiest:.2f} cores at the most; failed: {failed}"


if __name__ == "__main__":
    main()
