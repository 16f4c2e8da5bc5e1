"""What is found out when somebody asks for the metrics, as metrics."""

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily as Family
from prometheus_client.metrics_core import Metric

import app
from app import clock
from app.db import pooler
from app.errors import AppError
from app.settings import Settings
from app.status import files
from app.status.observer import Observer
from app.status.schemas import Observed

PATIENCE_S = 3.0


def collect(settings: Settings, observer: Observer) -> Iterator[Metric]:
    build = Family("mindgraph_build_info", "The release.", labels=("version", "revision"))
    build.add_metric((app.__version__, settings.revision), 1)
    yield build
    yield Family(
        "mindgraph_maintenance", "Whether everybody is kept out.", value=settings.maintenance
    )
    yield Family(
        "mindgraph_clock_jumped_seconds",
        "How far the clock was set forward, or back, since this process started.",
        value=clock.jumped_s(),
    )
    yield from _of_disk(settings)
    yield from files.told(settings.backup_report)
    observed = observer.look(PATIENCE_S)
    yield _success(observed, has_pooler=pooler.is_there(settings))
    yield from _of_documents(observed)
    yield from _of_queue(observed)
    yield from _of_connections(observed)
    yield from _of_pooler(observed)
    if observed.sessions is not None:
        yield Family("mindgraph_sessions", "Sessions that are alive.", value=observed.sessions)


def _success(observed: Observed, *, has_pooler: bool) -> Metric:
    """What is missing below is missing because of this."""
    family = Family(
        "mindgraph_observation_success",
        "Whether the metrics of this source could be found out.",
        labels=("source",),
    )
    family.add_metric(("database",), observed.backlog is not None)
    family.add_metric(("redis",), observed.queue is not None)
    family.add_metric(("qdrant",), observed.vectors is not None)
    if has_pooler:
        family.add_metric(("pooler",), observed.pool is not None)
    return family


def _of_disk(settings: Settings) -> Iterator[Metric]:
    disk = files.disk(settings.data_dir)
    yield Family(
        "mindgraph_data_disk_free_bytes",
        "What may still be written to the disk of the data folder.",
        value=disk.free,
    )
    yield Family("mindgraph_data_disk_size_bytes", "The disk of the data folder.", value=disk.size)
    try:
        backup = files.backup(settings.backup_report)
    except AppError:
        # As good as none, and the alarm for that comes.
        return
    if backup is not None:
        yield Family(
            "mindgraph_backup_last_success",
            "Whether the last backup ended well.",
            value=backup.ok,
        )
        yield Family(
            "mindgraph_backup_last_timestamp_seconds",
            "When the last backup ended.",
            value=backup.finished_at.timestamp(),
        )


def _of_documents(observed: Observed) -> Iterator[Metric]:
    backlog = observed.backlog
    if backlog is None:
        return
    family = Family("mindgraph_documents", "Versions of documents.", labels=("state",))
    for state, count in backlog.states.items():
        family.add_metric((state,), count)
    yield family
    yield Family(
        "mindgraph_ingestion_waiting", "Versions that wait for a worker.", value=backlog.waiting
    )
    yield Family(
        "mindgraph_ingestion_oldest_waiting_seconds",
        "For how long the first of them has waited.",
        value=backlog.oldest_s,
    )


def _of_queue(observed: Observed) -> Iterator[Metric]:
    queue = observed.queue
    if queue is None:
        return
    family = Family("mindgraph_queue_messages", "Jobs that aren't done.", labels=("state",))
    for state in ("waiting", "running", "delayed", "dead"):
        family.add_metric((state,), getattr(queue, state))
    yield family
    yield Family(
        "mindgraph_workers", "Workers that were heard of in the last minute.", value=queue.workers
    )


def _of_connections(observed: Observed) -> Iterator[Metric]:
    connections = observed.connections
    if connections is None:
        return
    yield Family(
        "mindgraph_database_connections",
        "Connections of all clients to the database's server.",
        value=connections.used,
    )
    yield Family(
        "mindgraph_database_connections_max", "How many may be.", value=connections.allowed
    )


def _of_pooler(observed: Observed) -> Iterator[Metric]:
    pool = observed.pool
    if pool is None:
        return
    yield Family(
        "mindgraph_pooler_clients_waiting",
        "Clients of the pooler that wait for a connection to the database.",
        value=pool.waiting,
    )
    yield Family(
        "mindgraph_pooler_longest_wait_seconds",
        "For how long the first of them has waited.",
        value=pool.longest_wait_s,
    )
    yield Family(
        "mindgraph_pooler_connections",
        "Connections of the pooler to the database that are in use.",
        value=pool.used,
    )
    yield Family(
        "mindgraph_pooler_connections_max",
        "How many may be, with those for who waits long.",
        value=pool.allowed,
    )
