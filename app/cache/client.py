"""The connection to Redis, and what its absence means.

Sessions and captcha fail closed: they use `strict()`. Caches and rate limits fail open: they use
`lenient()`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.errors import Unavailable
from app.settings import Settings

log = structlog.get_logger(__name__)

Purpose = Literal["cache", "limits"]

# How often this process went on without Redis; /readyz shows it.
failed_open: Counter[Purpose] = Counter()


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
def lenient(purpose: Purpose) -> Iterator[None]:
    """Leaves the block when Redis can't be used, with a line in the log and a count."""
    try:
        yield
    except redis.RedisError as error:
        note_failure(purpose, error)


def note_failure(purpose: Purpose, error: redis.RedisError) -> None:
    """Counts and logs that this process goes on without Redis."""
    failed_open[purpose] += 1
    log.warning("redis is not available; going on without it", purpose=purpose, reason=str(error))
