"""What a load makes of a server, in figures, and the servers that loads need."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import generator
from benchmarks.load.generator import Request
from benchmarks.load.service import Serving
from tests.places import CHECKOUT
from tests.servers import Run, Servers, this_process

WARM_UP_S = 1
# Safe on the disk, and with what a small server has.
OPTIONS = "-c max_connections=200 -c jit=off -c max_wal_size=4GB -c shared_buffers=512MB"


@dataclass(frozen=True)
class Figure:
    """Of one load: `cpu_ms` is the server's processor time a request, all of its processes, and
    `generator_cores` how many cores the generator kept busy."""

    per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    generator_cores: float
    failed: int


@contextmanager
def servers() -> Iterator[Servers]:
    """PostgreSQL, Redis and Qdrant with nothing in them, for the block."""
    with tempfile.TemporaryDirectory(prefix="mindgraph-bench-") as folder:
        run = Run(Path(folder), this_process())
        try:
            found = run.servers(lambda _: None)
            with run.postgres(options=OPTIONS) as safe:
                yield _with_database_of(found, safe.servers)
        finally:
            run.remove()


def _with_database_of(servers: Servers, other: Servers) -> Servers:
    """The same Redis and Qdrant."""
    kept = {field.name for field in dataclasses.fields(servers)}
    kept = {name for name in kept if name.startswith(("redis", "qdrant"))}
    return dataclasses.replace(other, **{name: getattr(servers, name) for name in kept})


def measure(found: Serving, requests: Sequence[Request], *, clients: int, seconds: int) -> Figure:
    """After a warm-up."""
    generator.run(found.port, requests, clients=clients, seconds=WARM_UP_S)
    before = found.cpu_s()
    load = generator.run(found.port, requests, clients=clients, seconds=seconds)
    used_s = found.cpu_s() - before
    return Figure(
        per_second=load.per_second,
        cpu_ms=used_s / max(load.requests, 1) * 1e3,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        generator_cores=load.generator_cpu_s / load.seconds,
        failed=sum(load.failed.values()),
    )


def median(figures: Sequence[Figure]) -> Figure:
    names = [field.name for field in dataclasses.fields(Figure)]
    middle = {name: statistics.median(getattr(one, name) for one in figures) for name in names}
    return Figure(**middle | {"failed": sum(one.failed for one in figures)})


def keep(name: str, found: Any) -> None:
    """As build/bench/NAME.json."""
    path = CHECKOUT / "build" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1), encoding="utf-8")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
