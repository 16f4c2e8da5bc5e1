"""The main requests beside what limits them: the bare framework, and the database alone.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.limits

Everything of a round is measured right after each other, each round anew, and what counts is the
median of the rounds: the machine may be busy with others. Processor time a request changes less
with that than requests a second do.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.settings import Settings
from benchmarks.load import floors, generator, measuring, results, service, tables, world
from benchmarks.load.generator import Request
from benchmarks.load.measuring import Figure
from benchmarks.load.results import Recording, say
from benchmarks.load.service import Serving
from benchmarks.load.world import Person
from tests import databases
from tests.servers import HOST, Servers

SECONDS, ROUNDS = 4, 3
CLIENTS, WORKERS = 16, 2
PEOPLE, DIAGRAMS = 400, 40
# So few that a copy of each diagram lives from before the load until its end.
READERS = 100
TABLE = "CREATE TABLE bare (id text PRIMARY KEY, title text, diagram_type text, spec jsonb)"
GRANT = "GRANT ALL ON bare TO mindgraph_user"
# What stands beside the requests.
FRAMEWORK = "the bare framework's answer"
INSERTING, SELECTING = "the bare framework's INSERT", "the bare framework's SELECT"
INSERT, SELECT = "pgbench: INSERT", "pgbench: SELECT"


class TooFewDiagrams(Exception):
    """Some were asked for a second time, and so were read from the cache."""


@dataclass(frozen=True)
class Kind:
    """Requests of one kind, what stands beside them, and whether each is sent once before, or
    only to diagrams of which there is no copy."""

    beside: str
    requests: Callable[[Sequence[Person]], list[Request]]
    copied: bool = False
    uncopied: bool = False


KINDS = {
    "read a diagram, from the cache": Kind(
        FRAMEWORK, lambda folk: world.reads(folk[:READERS], 1), copied=True
    ),
    "read a diagram, from the database": Kind(
        SELECTING, lambda folk: world.reads(folk, DIAGRAMS), uncopied=True
    ),
    "list 20 diagrams, from the cache": Kind(
        FRAMEWORK, lambda folk: world.lists(folk[:READERS]), copied=True
    ),
    "list 20 diagrams, from the database": Kind(SELECTING, world.filtered_lists),
    "search one's diagrams": Kind(SELECTING, world.searches),
    "create a diagram": Kind(INSERTING, world.creations),
    "save a diagram": Kind(INSERTING, world.saves),
    "record usage": Kind(INSERTING, world.usages),
}
BESIDE = {name: kind.beside for name, kind in KINDS.items()}
BESIDE |= {INSERTING: INSERT, SELECTING: SELECT}


@dataclass(frozen=True)
class Place:
    """A service on a full database, who uses it, and one answer of it."""

    servers: Servers
    settings: Settings
    folk: Sequence[Person]
    answer: str


def main() -> None:
    options = results.options(__doc__, seconds=SECONDS, rounds=ROUNDS)
    parameters = dataclasses.asdict(options) | {"clients": CLIENTS, "workers": WORKERS}
    recording = Recording("limits", parameters)
    say(f"generator: {generator.ensure()}; {CLIENTS} clients, {WORKERS} workers")
    rounds: dict[str, list[Figure]] = {}
    with full_service() as place:
        recording.meet(place.servers)
        for number in range(options.rounds):
            for name, figure in measured(place, options.seconds):
                rounds.setdefault(name, []).append(figure)
            say(f"round {number + 1} of {options.rounds} is over")
    found = {name: measuring.kept(figures) for name, figures in rounds.items()}
    for name, one in found.items():
        one["beside"] = BESIDE.get(name, "")
    recording.keep(found)
    for line in tables.limits(found):
        say(line)


@contextmanager
def full_service() -> Iterator[Place]:
    with measuring.servers() as servers, tempfile.TemporaryDirectory() as folder:
        settings = service.settings_for(
            servers, "mindgraph", data_dir=Path(folder), web_workers=WORKERS
        )
        with service.serving(settings) as found:
            folk = world.people(settings, PEOPLE, DIAGRAMS)
            answer = one_answer(found, folk[0])
        with databases.superuser(servers, "mindgraph") as connection, connection.cursor() as cursor:
            cursor.execute(f"{TABLE}; {GRANT}")
            cursor.execute("VACUUM ANALYZE")
        yield Place(servers, settings, folk, answer)


def one_answer(found: Serving, person: Person) -> str:
    url = f"http://{HOST}:{found.port}/api/diagrams/{person.diagrams[0]}"
    answer = httpx.get(url, headers=dict(person.headers()), trust_env=False)
    answer.raise_for_status()
    return answer.text


def measured(place: Place, seconds: int) -> Iterator[tuple[str, Figure]]:
    with service.peer("framework", place.settings, place.answer) as found:
        yield FRAMEWORK, measure(place, found, [Request("GET", "/answer")], seconds)
    with service.serving(place.settings) as found:
        for name, kind in KINDS.items():
            yield name, measure_kind(place, found, kind, seconds)
    creations = world.creations(place.folk)
    with service.peer("inserting", place.settings) as found:
        bodies = [Request("POST", "/bare", (), one.body) for one in creations]
        yield INSERTING, measure(place, found, bodies, seconds)
    with service.peer("selecting", place.settings) as found:
        keys = [Request("GET", f"/bare/{one.diagrams[0]}") for one in place.folk]
        yield SELECTING, measure(place, found, keys, seconds)
    load = {"clients": CLIENTS, "seconds": seconds}
    yield INSERT, floors.inserting(place.servers, creations[0], **load)
    yield SELECT, floors.selecting(place.servers, place.folk, **load)


def measure(
    place: Place, found: Serving, requests: Sequence[Request], seconds: int, warm_up_s: int = 1
) -> Figure:
    return measuring.measure(
        found,
        requests,
        clients=CLIENTS,
        seconds=seconds,
        warm_up_s=warm_up_s,
        database_id=place.servers.postgres_id,
    )


def measure_kind(place: Place, found: Serving, kind: Kind, seconds: int) -> Figure:
    """Raises TooFewDiagrams."""
    requests = kind.requests(place.folk)
    prepare(found, place.settings, kind, requests)
    figure = measure(place, found, requests, seconds, warm_up_s=0)
    if kind.uncopied and figure.per_second * seconds > len(requests):
        raise TooFewDiagrams(
            f"{len(requests)} diagrams are too few for {seconds} s; measure for fewer seconds"
        )
    return figure


def prepare(found: Serving, settings: Settings, kind: Kind, requests: Sequence[Request]) -> None:
    """Warms the service up, and settles which copies there are."""
    generator.run(found.port, requests, clients=CLIENTS, seconds=measuring.WARM_UP_S)
    if kind.uncopied:
        world.forget_copies(settings)
    if kind.copied:
        with httpx.Client(base_url=f"http://{HOST}:{found.port}", trust_env=False) as client:
            for one in requests:
                client.get(one.path, headers=dict(one.headers)).raise_for_status()


if __name__ == "__main__":
    main()
