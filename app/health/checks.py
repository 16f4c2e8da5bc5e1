"""Asks each service that this one stands on, for its version and how long the answer took."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import cast

import structlog
from redis import Redis
from sqlalchemy import text

from app.cache import client as caches
from app.db.init import require_head
from app.db.session import Database
from app.errors import AppError
from app.health.schemas import Readiness, ServiceHealth
from app.vectors import client as vectors
from app.vectors.library import QdrantClient

log = structlog.get_logger(__name__)

# Less than the probe of the container waits, so that the answer says who is down.
PATIENCE_S = 3.5
NO_ANSWER = ServiceHealth(
    ok=False, version=None, ms=PATIENCE_S * 1000, problem=f"no answer within {PATIENCE_S} s"
)


@dataclass(frozen=True)
class Services:
    """What the readiness depends on. In maintenance the schema may be half-made."""

    database: Database
    redis: Redis
    qdrant: QdrantClient
    maintenance: bool = False


def readiness(services: Services) -> Readiness:
    """Asks all of them at once, and waits for none longer than `PATIENCE_S`."""
    questions: dict[str, Callable[[], str]] = {
        "database": lambda: _database(services.database),
        "schema": lambda: _schema(services.database),
        "redis": lambda: _redis(services.redis),
        "qdrant": lambda: vectors.version(services.qdrant),
    }
    if services.maintenance:
        del questions["schema"]
    answers: dict[str, ServiceHealth] = {}

    def ask(name: str) -> None:
        answers[name] = _ask(questions[name])

    # Threads of their own, which the end of the process doesn't wait for: a database that hangs
    # takes its statements along without a word, and they can't be ended from this side.
    threads = [Thread(target=ask, args=(name,), daemon=True) for name in questions]
    deadline = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    found = {name: answers.get(name, NO_ANSWER) for name in questions}
    down = [name for name, health in found.items() if not health.ok]
    failed_open = {str(purpose): times for purpose, times in caches.failed_open.items()}
    return Readiness(
        ready=not down,
        down=down,
        services=found,
        failed_open=failed_open,
        maintenance=services.maintenance,
    )


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
