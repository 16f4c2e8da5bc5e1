"""What a load makes of a server, in figures, and the servers that loads need."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import images
from benchmarks.load import containers, generator
from benchmarks.load.generator import Load, Request
from benchmarks.load.service import Serving
from tests.servers import Run, Servers, this_process

WARM_UP_S = 1
# Safe on the disk, and with what a small server has.
OPTIONS = "-c max_connections=200 -c jit=off -c max_wal_size=4GB -c shared_buffers=512MB"


@dataclass(frozen=True)
class Figure:
    """Of one load.

    `cpu_ms` is the server's processor time a request, `memory_mb` the memory of all of its
    processes at the end; those of the database are zero where it is a file or not asked for.
    `failed` counts answers by their status, and what came instead of one.
    """

    per_second: float
    cpu_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    # How many cores each kept busy.
    generator_cores: float
    database_cores: float = 0.0
    memory_mb: float = 0.0
    database_memory_mb: float = 0.0
    failed: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def failures(self) -> int:
        return sum(self.failed.values())


@contextmanager
def servers(options: str = OPTIONS) -> Iterator[Servers]:
    """PostgreSQL, with `options` of its command line, Redis and Qdrant with nothing in them, for
    the block."""
    images.ensure_named()
    with tempfile.TemporaryDirectory(prefix="mindgraph-bench-") as folder:
        run = Run(Path(folder), this_process())
        try:
            found = run.servers(lambda _: None)
            with run.postgres(options=options) as safe:
                yield _with_database_of(found, safe.servers)
        finally:
            run.remove()


def _with_database_of(servers: Servers, other: Servers) -> Servers:
    """The same Redis and Qdrant."""
    kept = {field.name for field in dataclasses.fields(servers)}
    kept = {name for name in kept if name.startswith(("redis", "qdrant"))}
    return dataclasses.replace(other, **{name: getattr(servers, name) for name in kept})


def measure(
    found: Serving,
    requests: Sequence[Request],
    *,
    clients: int,
    seconds: int,
    warm_up_s: int = WARM_UP_S,
    database_id: str | None = None,
) -> Figure:
    """After a warm-up. `database_id` is the container whose use is asked for."""
    if warm_up_s:
        generator.run(found.port, requests, clients=clients, seconds=warm_up_s)
    before, database_before = found.cpu_s(), _cpu_s(database_id)
    load = generator.run(found.port, requests, clients=clients, seconds=seconds)
    used_s, database_s = found.cpu_s() - before, _cpu_s(database_id) - database_before
    return Figure(
        **latencies(load),
        per_second=load.per_second,
        cpu_ms=used_s / max(load.requests, 1) * 1e3,
        generator_cores=load.generator_cpu_s / load.seconds,
        database_cores=database_s / load.seconds,
        memory_mb=found.memory_mb(),
        database_memory_mb=containers.memory_mb(database_id) if database_id else 0.0,
        failed=load.failed,
    )


def latencies(load: Load) -> dict[str, float]:
    return {"p50_ms": load.p50_ms, "p95_ms": load.p95_ms, "p99_ms": load.p99_ms}


def median(figures: Sequence[Figure]) -> Figure:
    """Of each field; failures are added up."""
    names = [field.name for field in dataclasses.fields(Figure) if field.name != "failed"]
    middle = {name: statistics.median(getattr(one, name) for one in figures) for name in names}
    failed: Counter[str] = Counter()
    for one in figures:
        failed.update(one.failed)
    return Figure(**middle, failed=dict(failed))


def kept(rounds: Sequence[Figure]) -> dict[str, Any]:
    """A median with the rounds that it is of, for a file."""
    return {
        "median": dataclasses.asdict(median(rounds)),
        "rounds": [dataclasses.asdict(one) for one in rounds],
    }


def _cpu_s(container_id: str | None) -> float:
    return containers.cpu_s(container_id) if container_id else 0.0
