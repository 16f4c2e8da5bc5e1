"""Whether requests of one person take longer as the diagrams and calls of others become more.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.load.growth

One client, one request after the other, the kinds in turn. None is answered from the cache.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from psycopg2 import extensions

from app import clock
from benchmarks.load import crowds, places, results, tables, watching, world
from benchmarks.load.generator import Request
from benchmarks.load.places import Place
from benchmarks.load.results import Recording, say
from benchmarks.load.watching import Watched
from benchmarks.load.world import Person
from tests import databases

# Diagrams of others, and as many of their calls.
SIZES = (1_000, 100_000, 1_000_000)
OWN = 5_000
OWNERS, PATTERNS_EACH, NODES = 200, 5, 10
OWN_PATTERNS = 100
# Of each kind; together fewer than an account may send at once.
REQUESTS, WARM_UP = 150, 10


def main() -> None:
    options = results.options(__doc__, seconds=0)
    parameters = dataclasses.asdict(options) | {"own": OWN, "requests": REQUESTS}
    recording = Recording("growth", parameters)
    with (
        places.filled(OWNERS, 0) as place,
        databases.superuser(place.servers, "mindgraph") as connection,
        connection.cursor() as cursor,
    ):
        recording.meet(place.servers)
        rows = list(measured(place, cursor))
    recording.keep(rows)
    for line in tables.growth(rows):
        say(line)


def measured(place: Place, cursor: extensions.cursor) -> Iterator[dict[str, Any]]:
    owners = [one.id for one in place.folk]
    crowds.prepare(cursor, owners, PATTERNS_EACH, NODES)
    (asking,) = world.people(place.settings, 1, 0)
    crowds.prepare(cursor, [asking.id], OWN_PATTERNS, world.NODES)
    crowds.draw(cursor, [asking.id], OWN_PATTERNS, OWN)
    crowds.call(cursor, [asking.id], OWN)
    there = 0
    for size in SIZES:
        crowds.draw(cursor, owners, PATTERNS_EACH, size - there)
        crowds.call(cursor, owners, size - there)
        there = size
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
        say(f"{size} diagrams of others are there")
        yield {"diagrams": size, "requests": asked(place, with_diagrams(cursor, asking))}


def with_diagrams(cursor: extensions.cursor, person: Person) -> Person:
    """The same with as many diagrams as are read, of which there are no copies."""
    cursor.execute(
        "SELECT id FROM diagrams WHERE user_id = %s ORDER BY random() LIMIT %s",
        (person.id, REQUESTS + WARM_UP),
    )
    return dataclasses.replace(person, diagrams=tuple(one for (one,) in cursor.fetchall()))


def asked(place: Place, person: Person) -> dict[str, dict[str, Any]]:
    kinds = requests_of(person)
    found = {name: Watched() for name in kinds}
    world.forget_copies(place.settings)
    with watching.client(place.serving.port) as client:
        for number in range(WARM_UP + REQUESTS):
            for name, requests in kinds.items():
                watched = found[name] if number >= WARM_UP else Watched()
                watching.ask(client, requests[number % len(requests)], watched)
    return {name: watched.summary() for name, watched in found.items()}


def requests_of(person: Person) -> dict[str, Sequence[Request]]:
    last = clock.now().date()
    period = f"from={last - timedelta(days=365)}&to={last}"
    kinds = (
        world.filtered_lists([person]),
        world.reads([person], len(person.diagrams)),
        [Request("GET", f"/api/diagrams?q={crowds.RARE}", person.headers())],
        world.creations([person]),
        [Request("GET", f"/api/usage/statistics?{period}&group_by=day", person.headers())],
    )
    return dict(zip(tables.REQUESTS, kinds, strict=True))


if __name__ == "__main__":
    main()
