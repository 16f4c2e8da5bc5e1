"""The jobs. Each may run twice, or late, or not at all until the next time, and does no harm."""

import threading
from collections.abc import Callable
from functools import partial

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from app import metrics
from app.cache import keys
from app.diagrams import indexing, trash
from app.errors import AppError
from app.knowledge import cleaning, consistency
from app.knowledge.tools import Tools
from app.usage import service as usage

log = structlog.get_logger(__name__)

QUEUE = "default"
PROVE = "prove"
PURGE = "purge_trash"
INDEX = "index_diagrams"
RETAIN = "retain_usage"
INGEST = "look_for_documents"
CLEAN = "clean_knowledge"
CHECK = "check_knowledge"


def message(actor: str, *args: str) -> dramatiq.Message[None]:
    """What `broker.enqueue` takes, made without the actors, which only the worker has."""
    return dramatiq.Message(
        queue_name=QUEUE, actor_name=actor, args=args, kwargs={}, options={"max_retries": 5}
    )


def register(broker: RedisBroker, redis: Redis, tools: Tools, wake: threading.Event) -> None:
    """Declares the jobs on the worker's broker, each bound to what it needs.

    Args:
        broker: the worker's.
        redis: for the proof that jobs are done.
        tools: what the jobs work with.
        wake: set when documents are to be looked at.
    """
    jobs: dict[str, Callable[..., object]] = {
        PROVE: partial(_prove, redis),
        PURGE: partial(_purge_trash, tools),
        INDEX: partial(_index_diagrams, tools),
        RETAIN: partial(_retain_usage, tools),
        INGEST: wake.set,
        CLEAN: partial(_clean_knowledge, tools),
        CHECK: partial(_check_knowledge, tools),
    }
    for name, job in jobs.items():
        dramatiq.actor(broker=broker, queue_name=QUEUE, actor_name=name)(_measured(name, job))


def _measured(name: str, job: Callable[..., object]) -> Callable[..., object]:
    def measured(*arguments: str) -> None:
        result = "failed"
        try:
            with metrics.timed(metrics.JOB_SECONDS.labels(name)):
                job(*arguments)
            result = "done"
        finally:
            metrics.JOBS.labels(name, result).inc()

    return measured


def _prove(redis: Redis, nonce: str) -> None:
    redis.set(keys.worker_proof(nonce), b"1", ex=keys.WORKER_PROOF_TTL)


def _purge_trash(tools: Tools) -> None:
    purged = trash.purge_old(tools.database, days=tools.settings.diagram_trash_days)
    if purged:
        log.info("purged the trash", diagrams=purged)


def _index_diagrams(tools: Tools) -> None:
    indexed = indexing.index_stale(tools.database)
    if indexed:
        log.info("indexed diagrams for the search", diagrams=indexed)


def _retain_usage(tools: Tools) -> None:
    days = tools.settings.usage_retention_days
    deleted = sum(usage.retain(tools.database, days=days)) if days else 0
    if deleted:
        log.info("deleted old records of usage", records=deleted)


def _clean_knowledge(tools: Tools) -> None:
    cleaned = cleaning.clean(tools)
    if any(cleaned.values()):
        log.info("cleaned the knowledge space", **cleaned)


def _check_knowledge(tools: Tools) -> None:
    try:
        found = consistency.check(tools, fix=True, at_once=False)
    except AppError as error:
        # A new installation has no index yet; all else the doctor tells as well.
        log.warning("the knowledge space can't be checked", reason=error.detail)
        return
    for one in found.differences:
        if one.found:
            log.warning(
                "mended the knowledge space",
                what=one.what,
                found=one.found,
                fixed=one.fixed,
                examples=one.examples,
            )
