"""The worker: takes jobs off the queue, and puts the regular ones on it."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import structlog
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker
from redis import Redis, RedisError

from app.cache import client as cache
from app.cache import keys
from app.db import engine
from app.db.init import require_head
from app.db.session import Database
from app.db.sqlite import checkpoints
from app.embedders.pool import Embedders
from app.errors import AppError
from app.jobs import broker as brokers
from app.jobs import listening, tasks
from app.knowledge import ingestion
from app.knowledge.files import Files
from app.knowledge.tools import Tools
from app.settings import Settings
from app.vectors import client as vectors

log = structlog.get_logger(__name__)

BEAT_S = 5.0
# The regular jobs, each with the key that lives for as long as it isn't due.
REGULAR = (
    (tasks.INDEX, keys.index(), keys.INDEX_TTL),
    (tasks.PURGE, keys.purge(), keys.PURGE_TTL),
    (tasks.RETAIN, keys.retention(), keys.RETENTION_TTL),
    (tasks.CLEAN, keys.cleaning(), keys.CLEANING_TTL),
    (tasks.CHECK, keys.check(), keys.CHECK_TTL),
)
# How long an idle queue is left alone. Longer is cheaper, and only new jobs wait for it.
POLL_MS = 1_000
STOP_MS = 20_000
SCHEMA_PATIENCE_S = 1_800.0


def run(settings: Settings, stop: threading.Event, alive: Path | None = None) -> None:
    """Works until `stop` is set.

    Args:
        settings: the service's.
        stop: ends the work; jobs under way get `STOP_MS` to finish, and come again otherwise.
        alive: a file that is touched every few seconds while the queue can be read.

    In maintenance it takes no jobs and touches neither the database nor the queue.

    Raises:
        SchemaDiffers, Unavailable: the database isn't made ready by the service in time.
        MetricsPortTaken: WORKER_METRICS_PORT can't be used.
    """
    with listening.serving_metrics(settings):
        if settings.maintenance:
            _stand_by(stop, alive)
        else:
            _prepare(settings, stop, alive)


def _prepare(settings: Settings, stop: threading.Event, alive: Path | None) -> None:
    # One connection for each thread of jobs, two for each of documents (its claim is kept by a
    # second one), and one for the look at the schema.
    threads = settings.worker_threads + 2 * settings.ingestion_threads + 1
    with ExitStack() as closing:
        database = Database(engine.build(settings, name="worker", threads=threads))
        closing.callback(database.close)
        redis = closing.enter_context(contextlib.closing(cache.build(settings)))
        if not _wait_for_schema(database, stop):
            return
        qdrant = closing.enter_context(contextlib.closing(vectors.build(settings)))
        embedders = closing.enter_context(contextlib.closing(Embedders(settings)))
        tools = Tools(database, qdrant, Files(settings.files_dir), embedders, settings)
        interval_s = settings.sqlite_checkpoint_s
        closing.enter_context(checkpoints.scheduled(engine.file(settings), interval_s))
        _work(tools, redis, stop, alive)


def _work(tools: Tools, redis: Redis, stop: threading.Event, alive: Path | None) -> None:
    broker = brokers.build(redis)
    wake = threading.Event()
    tasks.register(broker, redis, tools, wake)
    threads = tools.settings.worker_threads
    worker = Worker(broker, worker_threads=threads, worker_timeout=POLL_MS)
    worker.start()
    _ask_for_index(redis)
    log.info("worker is ready", threads=threads)
    try:
        with _ingesting(tools, stop, wake):
            while not stop.is_set():
                _beat(broker, redis, alive)
                stop.wait(BEAT_S)
    finally:
        worker.stop(timeout=STOP_MS)
        broker.close()


@contextmanager
def _ingesting(tools: Tools, stop: threading.Event, wake: threading.Event) -> Iterator[None]:
    """Takes documents forward for the block, which ends with `stop`."""
    threads = [
        threading.Thread(target=ingestion.run, args=(tools, stop, wake), name=f"documents-{number}")
        for number in range(tools.settings.ingestion_threads)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        wake.set()
        for thread in threads:
            thread.join()


def _stand_by(stop: threading.Event, alive: Path | None) -> None:
    log.info("the worker takes no jobs during maintenance")
    while not stop.is_set():
        if alive is not None:
            alive.touch()
        stop.wait(BEAT_S)


def _beat(broker: RedisBroker, redis: Redis, alive: Path | None) -> None:
    try:
        for task, key, every in REGULAR:
            # Many workers beat; one of them puts it on the queue, once in its time.
            if redis.set(key, b"1", nx=True, ex=every):
                broker.enqueue(tasks.message(task))
    except RedisError as error:
        log.warning("the queue can't be read", reason=str(error))
        return
    if alive is not None:
        alive.touch()


def _ask_for_index(redis: Redis) -> None:
    """After an update there is much that the release before it did not index."""
    with suppress(RedisError):
        redis.delete(keys.index())


def _wait_for_schema(database: Database, stop: threading.Event) -> bool:
    """Whether the schema is at head; False when `stop` came first."""
    start = time.monotonic()
    said = False
    while not stop.is_set():
        try:
            with database.read() as session:
                require_head(session.connection())
            return True
        except AppError as error:
            if time.monotonic() - start > SCHEMA_PATIENCE_S:
                raise
            if not said:
                log.info("waiting until the service has prepared the database", reason=str(error))
                said = True
        stop.wait(0.3)
    return False
