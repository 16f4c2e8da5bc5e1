"""What is counted and measured, under the names that the field uses.

Where several processes serve, each counts into files of its own in one folder, and whichever
process is asked adds them up. The folder has to be known before anything below is made:
settings.share_metrics().
"""

import hmac
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr

from app import settings

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# From a cached answer to the longest that a proxy waits; event streams are beyond.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# Nearly always a connection is free at once; the longest is DATABASE_POOL_TIMEOUT_S.
WAIT_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 3, 10)
# From a look that finds nothing to a book that is embedded.
WORK_BUCKETS = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 1_800)

REQUEST = ("method", "route", "status")
REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "From a request's head to the end of its answer.",
    REQUEST,
    buckets=REQUEST_BUCKETS,
)
REQUESTS_IN_PROGRESS = Gauge(
    "http_requests_in_progress",
    "Requests that are being answered now.",
    multiprocess_mode="livesum",
)

POOL_SIZE = Gauge(
    "mindgraph_database_pool_size",
    "Connections that the pools of all processes may hold.",
    ("pool",),
    multiprocess_mode="livesum",
)
POOL_CHECKED_OUT = Gauge(
    "mindgraph_database_pool_checked_out",
    "Connections that are in use now.",
    ("pool",),
    multiprocess_mode="livesum",
)
POOL_WAIT_SECONDS = Histogram(
    "mindgraph_database_pool_wait_seconds",
    "How long it took until a connection was free, or made.",
    ("pool",),
    buckets=WAIT_BUCKETS,
)
POOL_TIMEOUTS = Counter(
    "mindgraph_database_pool_timeouts_total",
    "How often none was free within DATABASE_POOL_TIMEOUT_S.",
    ("pool",),
)

REDIS_ERRORS = Counter(
    "mindgraph_redis_errors_total",
    "How often Redis could not be used: for cache and limits it went on without, else with a 503.",
    ("purpose",),
)
CACHE_LOOKUPS = Counter(
    "mindgraph_cache_lookups_total", "Looks for a copy in Redis.", ("kind", "result")
)
RATE_LIMIT_REFUSALS = Counter(
    "mindgraph_rate_limit_refusals_total", "Requests refused with 429.", ("rule",)
)
SESSIONS_OPENED = Counter("mindgraph_sessions_opened_total", "Sessions opened by a login.")

JOBS = Counter("mindgraph_jobs_total", "Jobs that a worker has done.", ("task", "result"))
JOB_SECONDS = Histogram(
    "mindgraph_job_duration_seconds", "How long a job took.", ("task",), buckets=WORK_BUCKETS
)

INGESTION_RESULTS = Counter(
    "mindgraph_ingestion_results_total",
    "How a worker's hold on a document ended: ready, failed, or retried or waiting for later.",
    ("result",),
)
INGESTION_SECONDS = Histogram(
    "mindgraph_ingestion_step_duration_seconds",
    "How long a step with a document took.",
    ("step",),
    buckets=WORK_BUCKETS,
)
INGESTED_PAGES = Counter("mindgraph_ingestion_pages_total", "Pages whose text was extracted.")
INGESTED_CHUNKS = Counter("mindgraph_ingestion_chunks_total", "Passages that were embedded.")

USAGE_WAITING = Gauge(
    "mindgraph_usage_recorder_waiting",
    "Records of token usage that wait for their transaction.",
    multiprocess_mode="livesum",
)
USAGE_RECORDED = Counter("mindgraph_usage_records_total", "Records of token usage that are stored.")
USAGE_REFUSED = Counter(
    "mindgraph_usage_records_refused_total",
    "Records of token usage that were refused because too many wait.",
)


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    start = perf_counter()
    try:
        yield
    finally:
        histogram.observe(perf_counter() - start)


def is_allowed(token: SecretStr | None, authorization: str | None) -> bool:
    """Whether a request with this Authorization header may read the metrics."""
    if token is None:
        return False
    # As bytes: the comparison takes no text beyond ASCII.
    wanted = f"Bearer {token.get_secret_value()}".encode()
    return hmac.compare_digest(wanted, (authorization or "").encode())


class _Counted(Collector):
    """What a registry has, and the requests as a counter of their own.

    They are counted once, by the histogram, as every request pays for it.
    """

    def __init__(self, counted: CollectorRegistry) -> None:
        self.counted = counted

    def collect(self) -> Iterator[Metric]:
        for family in self.counted.collect():
            yield family
            if family.name == "http_request_duration_seconds":
                yield _totals(family)


def _totals(histogram: Metric) -> Metric:
    totals = CounterMetricFamily("http_requests", "Requests that were answered.", labels=REQUEST)
    for sample in histogram.samples:
        if sample.name.endswith("_count"):
            totals.add_metric([sample.labels[name] for name in REQUEST], sample.value)
    return totals


class _Asked(Collector):
    def __init__(self, ask: Callable[[], Iterable[Metric]]) -> None:
        self.ask = ask

    def collect(self) -> Iterable[Metric]:
        return self.ask()


def render(ask: Callable[[], Iterable[Metric]] = tuple) -> bytes:
    """All metrics of all processes as text, and those that `ask` finds out now."""
    counted = REGISTRY
    if settings.metrics_folder() is not None:
        counted = CollectorRegistry()
        multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    # First: what goes wrong with it is counted.
    registry.register(_Asked(ask))
    registry.register(_Counted(counted))
    return generate_latest(registry)


@contextmanager
def shared() -> Iterator[None]:
    """Removes the folder at the end of the block; processes that were forked in it do not."""
    owner = os.getpid()
    try:
        yield
    finally:
        folder = settings.metrics_folder()
        if folder is not None and os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


def forget_process(pid: int) -> None:
    """A process that is gone has nothing in progress any more; what it counted stays."""
    folder = settings.metrics_folder()
    if folder is not None and Path(folder).is_dir():
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
