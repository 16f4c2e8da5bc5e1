"""Tells the workers that there is something to do. Only a hint: a worker that doesn't hear it finds
the work by itself, some seconds later."""

import structlog
from dramatiq.brokers.redis import RedisBroker
from redis import Redis, RedisError

from app.cache import keys
from app.jobs import broker as brokers
from app.jobs import tasks

log = structlog.get_logger(__name__)


class Waker:
    """Puts the hint on the queue; many at once are one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._broker: RedisBroker = brokers.build(redis)

    def wake(self) -> None:
        try:
            if self._redis.set(keys.ingestion(), b"1", nx=True, ex=keys.INGESTION_TTL):
                self._broker.enqueue(tasks.message(tasks.INGEST))
        except RedisError as error:
            log.warning("no worker could be woken; it will see by itself", reason=str(error))
