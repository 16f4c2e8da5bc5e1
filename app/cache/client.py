"""The connection to Redis, and what its absence means.

Sessions and captcha fail closed: they use `strict()`. Caches fail open: they use `lenient()`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.errors import Unavailable
from app.settings import Settings

log = structlog.get_logger(__name__)


class RedisUnavailable(Unavailable):
    """Redis doesn't answer; try again shortly."""


def build(settings: Settings) -> redis.Redis:
    """A pooled client. It connects at its first command, so this never fails."""
    common: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout_s,
        "socket_connect_timeout": settings.redis_timeout_s,
        "health_check_interval": 30,
        # One more try, at once: after a restart of Redis the pooled connections are dead.
        "retry": Retry(NoBackoff(), 1),
    }
    if settings.redis_url is not None:
        return redis.Redis.from_url(settings.redis_url.get_secret_value(), **common)
    password = settings.redis_password
    return redis.Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        db=settings.redis_db,
        password=password.get_secret_value() if password else None,
        **common,
    )


@contextmanager
def strict() -> Iterator[None]:
    """Raises RedisUnavailable when Redis can't be used within the block."""
    try:
        yield
    except redis.RedisError as error:
        raise RedisUnavailable from error


@contextmanager
def lenient() -> Iterator[None]:
    """Leaves the block, with a line in the log, when Redis can't be used."""
    with suppress(redis.RedisError):
        try:
            yield
        except redis.RedisError as error:
            log.warning("redis is not available; going on without the cache", reason=str(error))
            raise
