"""The jobs. Each may run twice, or late, or not at all until the next time, and does no harm."""

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from app.cache import keys
from app.db.session import Database
from app.diagrams import indexing, trash
from app.settings import Settings
from app.usage import service as usage

log = structlog.get_logger(__name__)

QUEUE = "default"
PROVE = "prove"
PURGE = "purge_trash"
INDEX = "index_diagrams"
RETAIN = "retain_usage"


def message(actor: str, *args: str) -> dramatiq.Message[None]:
    """What `broker.enqueue` takes, made without the actors, which only the worker has."""
    return dramatiq.Message(
        queue_name=QUEUE, actor_name=actor, args=args, kwargs={}, options={"max_retries": 5}
    )


def register(broker: RedisBroker, database: Database, redis: Redis, settings: Settings) -> None:
    """Declares the jobs on the worker's broker, each bound to what it needs."""

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def prove(nonce: str) -> None:
        redis.set(keys.worker_proof(nonce), b"1", ex=keys.WORKER_PROOF_TTL)

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def purge_trash() -> None:
        purged = trash.purge_old(database, days=settings.diagram_trash_days)
        if purged:
            log.info("purged the trash", diagrams=purged)

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def index_diagrams() -> None:
        indexed = indexing.index_stale(database)
        if indexed:
            log.info("indexed diagrams for the search", diagrams=indexed)

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def retain_usage() -> None:
        days = settings.usage_retention_days
        deleted = sum(usage.retain(database, days=days)) if days else 0
        if deleted:
            log.info("deleted old records of usage", records=deleted)
