"""A service on PostgreSQL, full of people who use it."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings
from benchmarks.load import measuring, service, world
from benchmarks.load.service import Serving
from benchmarks.load.world import Person
from tests.servers import Servers

WORKERS = 2


@dataclass(frozen=True)
class Place:
    servers: Servers
    settings: Settings
    serving: Serving
    folk: Sequence[Person]


@contextmanager
def filled(people: int, diagrams: int, options: str = measuring.OPTIONS) -> Iterator[Place]:
    """With so many people, who have so many diagrams each, and a PostgreSQL with these options, for
    the block."""
    with measuring.servers(options) as servers, tempfile.TemporaryDirectory() as folder:
        settings = service.settings_for(
            servers, "mindgraph", data_dir=Path(folder), web_workers=WORKERS
        )
        with service.serving(settings) as found:
            yield Place(servers, settings, found, world.people(settings, people, diagrams))


def allow_many_connections() -> None:
    """To this process and those that it starts: as many as the machine lets them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
