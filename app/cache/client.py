"""The connection to Redis, and what its absence means.

Sessions and captcha fail closed: they use `strict()`. Caches and rate limits fail open: they use
`lenient()`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, cast

import redis
import structlog
from redis import asyncio
from redis.asyncio.retry import Retry as LoopRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from app import metrics
from app.errors import Unavailable
from app.settings import Settings

log = structlog.get_logger(__name__)

Purpose = Literal["cache", "limits"]

# Each has one question under way; the loop never has more to do than these can answer.
LOOP_CONNECTIONS = 8

# How often this process went on without Redis; /readyz shows it.
failed_open: Counter[Purpose] = Counter()


class RedisUnavailable(Unavailable):
    """Redis doesn't answer; try again shortly."""


class Reachability:
    """Since when a process could have been told of everything.

    That is the moment, in milliseconds on the server's clock, at which it found another server
    process than before, or made a connection anew that had failed: until then the server may have
    been away, and may have come back with what it had before.
    """

    def __init__(self) -> None:
        self.since_ms = 0
        self._run_id = b""

    def note(self, connection: Any, info: bytes, time: Sequence[bytes]) -> None:
        """What the server said when the connection was made."""
        found = re.search(rb"run_id:(\w+)", info)
        run_id = found[1] if found else b""
        if run_id != self._run_id or hasattr(connection, "was_connected"):
            self._run_id = run_id
            # Not the present one: what was stored in it may be from before.
            self.since_ms = int(time[0]) * 1000 + int(time[1]) // 1000 + 1
        connection.was_connected = True


class Client(redis.Redis):
    """For threads."""

    reachability: Reachability

    def note_connection(self, connection: Any) -> None:
        # A check of its health would send a PING first, which a connection not yet authenticated
        # answers with an error, and the failed one would be made anew: without end.
        connection.on_connect_check_health(check_health=False)
        connection.send_command("INFO", "server", check_health=False)
        info = bytes(connection.read_response())
        connection.send_command("TIME", check_health=False)
        self.reachability.note(connection, info, connection.read_response())


class LoopClient(asyncio.Redis):
    """For the event loop."""

    reachability: Reachability

    async def note_connection(self, connection: Any) -> None:
        await connection.on_connect_check_health(check_health=False)
        await connection.send_command("INFO", "server", check_health=False)
        info = bytes(await connection.read_response())
        await connection.send_command("TIME", check_health=False)
        self.reachability.note(connection, info, await connection.read_response())


def build(settings: Settings) -> Client:
    """A pooled client. It connects at its first command, so this never fails."""
    # One more try, at once: after a restart of Redis the pooled connections are dead.
    arguments = _arguments(settings) | {"retry": Retry(NoBackoff(), 1)}
    if settings.redis_url is None:
        client = Client(**arguments)
    else:
        client = cast(Client, Client.from_url(settings.redis_url.get_secret_value(), **arguments))
    client.reachability = Reachability()
    client.connection_pool.connection_kwargs["redis_connect_func"] = client.note_connection
    return client


def build_for_loop(settings: Settings, reachability: Reachability) -> LoopClient:
    """A pooled client of the process that `reachability` is of. It tries everything once."""
    arguments: dict[str, Any] = _arguments(settings) | {
        "max_connections": LOOP_CONNECTIONS,
        "retry": LoopRetry(NoBackoff(), 0),
        # For a connection that is free.
        "timeout": settings.redis_timeout_s,
    }
    if settings.redis_url is None:
        pool = asyncio.BlockingConnectionPool(**arguments)
    else:
        url = settings.redis_url.get_secret_value()
        pool = asyncio.BlockingConnectionPool.from_url(url, **arguments)
    client = LoopClient(connection_pool=pool)
    client.auto_close_connection_pool = True
    client.reachability = reachability
    pool.connection_kwargs["redis_connect_func"] = client.note_connection
    return client


def _arguments(settings: Settings) -> dict[str, Any]:
    limits = {
        "socket_timeout": settings.redis_timeout_s,
        "socket_connect_timeout": settings.redis_timeout_s,
        "health_check_interval": 30,
    }
    if settings.redis_url is not None:
        return limits
    password = settings.redis_password
    return limits | {
        "host": settings.redis_host,
        "port": settings.redis_port,
        "db": settings.redis_db,
        "password": password.get_secret_value() if password else None,
    }


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
