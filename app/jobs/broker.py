"""The job queue. It only says "look": what there is to do stands in the database."""

from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications
from redis import Redis


def build(redis: Redis) -> RedisBroker:
    """The queue's broker on this connection, with the middleware that the jobs rely on."""
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=redis,
        namespace="jobs:queue",
        middleware=[AgeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries()],
    )
