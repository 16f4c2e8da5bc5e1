"""Asks each service that this one stands on, for its version and how long the answer took."""

import time
from collections.abc import Callable
from typing import cast

import structlog
from qdrant_client import QdrantClient
from redis import Redis
from sqlalchemy import text

from app.cache import client as caches
from app.db.init import require_head
from app.db.session import Database
from app.errors import AppError
from app.health.schemas import Readiness, ServiceHealth
from app.vectors import client as vectors

log = structlog.get_logger(__name__)


def readiness(database: Database, redis: Redis, qdrant: QdrantClient) -> Readiness:
    """Asks all of them, one after the other; a dead one doesn't keep the others from answering."""
    services = {
        "database": _ask(lambda: _database(database)),
        "schema": _ask(lambda: _schema(database)),
        "redis": _ask(lambda: _redis(redis)),
        "qdrant": _ask(lambda: vectors.version(qdrant)),
    }
    down = [name for name, health in services.items() if not health.ok]
    return Readiness(ready=not down, down=down, services=services)


def _ask(question: Callable[[], str]) -> ServiceHealth:
    start = time.perf_counter()
    try:
        version, problem = question(), None
    except AppError as error:
        version, problem = None, error.detail
        log.warning("not ready", reason=error.detail, cause=repr(error.__cause__))
    ms = round((time.perf_counter() - start) * 1000, 1)
    return ServiceHealth(ok=problem is None, version=version, ms=ms, problem=problem)


def _database(database: Database) -> str:
    backend = database.engine.dialect.name
    function = "sqlite_version()" if backend == "sqlite" else "current_setting('server_version')"
    with database.read() as session:
        return f"{backend} {session.scalar(text(f'SELECT {function}'))}"


def _schema(database: Database) -> str:
    with database.read() as session:
        return require_head(session.connection())


def _redis(redis: Redis) -> str:
    with caches.strict():
        info = cast(dict[str, str], redis.info("server"))
    name = info.get("server_name", "redis")
    return f"{name} {info.get(f'{name}_version') or info['redis_version']}"
