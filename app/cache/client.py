"""The connection to Redis, and what its absence means.

Sessions and captcha fail closed: they use `strict()`. Caches and rate limits fail open: they use
`lenient()`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from app import metrics
from app.errors import Unavailable
from app.settings import Settings

log = structlog.get_logger(__name__)

Purpose = Literal["cache", "limits"]

# How often this process went on without Redis; /readyz shows it.
failed_open: Counter[Purpose] = Counter()


class RedisUnavailable(Unavailable):
    """Redis doesn't answer; try again shortly."""


class Client(redis.Redis):
    """A client that knows since when it could have been told of everything.

    That is the moment, in milliseconds on the server's clock, at which it found another server
    process than before, or made a connection anew that had failed: until then the server may have
    been away, and may have come back with what it had before.
    """

    reachable_since_ms = 0
    _run_id = b""

    def note_connection(self, connection: Any) -> None:
        # A check of its health would send a PING first, which a connection not yet authenticated
        # answers with an error, and the failed one would be made anew: without end.
        connection.on_connect_check_health(check_health=False)
        run_id, now_ms = _ask(connection)
        if run_id != self._run_id or hasattr(connection, "was_connected"):
            self._run_id = run_id
            # Not the present one: what was stored in it may be from before.
            self.reachable_since_ms = now_ms + 1
        connection.was_connected = True


def _ask(connection: Any) -> tuple[bytes, int]:
    """The id of the server's process, and its clock in milliseconds."""
    connection.send_command("INFO", "server", check_health=False)
    found = re.search(rb"run_id:(\w+)", bytes(connection.read_response()))
    connection.send_command("TIME", check_health=False)
    seconds, microseconds = connection.read_response()
    return found[1] if found else b"", int(seconds) * 1000 + int(microseconds) // 1000


def build(settings: Settings) -> Client:
    """A pooled client. It connects at its first command, so this never fails."""
    client = _build(settings)
    client.connection_pool.connection_kwargs["redis_connect_func"] = client.note_connection
    return client


def _build(settings: Settings) -> Client:
    common: dict[str, Any] = {
        "socket_timeout": settings.redis_timeout_s,
        "socket_connect_timeout": settings.redis_timeout_s,
        "health_check_interval": 30,
        # One more try, at once: after a restart of Redis the pooled connections are dead.
        "retry": Retry(NoBackoff(), 1),
    }
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        return cast(Client, Client.from_url(url, **common))
    password = settings.redis_password
    return Client(
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
        metrics.REDIS_ERRORS.labels("required").inc()
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
    metrics.REDIS_ERRORS.labels(purpose).inc()
    log.warning("redis is not available; going on without it", purpose=purpose, reason=str(error))
