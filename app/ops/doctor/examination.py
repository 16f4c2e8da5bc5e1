"""Asks every service, proves that a job comes through, and looks for what will hurt one day."""

from redis import Redis

from app.cache import client as cache
from app.db import engine
from app.db.session import Database
from app.health import checks
from app.ops.doctor import cache as caching
from app.ops.doctor import database as databases
from app.ops.doctor import embedded, knowledge, postgresql, services
from app.ops.doctor.findings import Finding
from app.settings import Settings
from app.vectors import client as vectors
from app.vectors.library import QdrantClient


def examine(settings: Settings) -> list[Finding]:
    """
    Raises:
        QdrantUnavailable: with the embedded Qdrant, while another process has it.
    """
    database = Database(engine.build(settings, name="doctor", threads=1))
    redis = cache.build(settings)
    qdrant = vectors.build(settings)
    try:
        return [
            services.versions(),
            *_examine(database, redis, qdrant, settings),
            *embedded.examine(settings),
        ]
    finally:
        qdrant.close()
        redis.close()
        database.close()


def _examine(
    database: Database, redis: Redis, qdrant: QdrantClient, settings: Settings
) -> list[Finding]:
    asked = checks.Services(database, redis, qdrant, settings.maintenance)
    readiness = checks.readiness(asked)
    found = services.answers(readiness)
    # What is down has been told once.
    if "database" not in readiness.down:
        found += _database(database, settings)
    if "redis" not in readiness.down:
        found += caching.examine(redis)
    # In maintenance the schema may be half-made.
    if not settings.maintenance:
        found.append(services.search(database, qdrant, settings))
        found += knowledge.examine(database, qdrant, settings)
    return [*found, services.worker(redis, settings)]


def _database(database: Database, settings: Settings) -> list[Finding]:
    found = [] if settings.maintenance else [databases.schema(database)]
    found += databases.connections(database, settings)
    if settings.embedded:
        return found
    direct = engine.build_direct(settings, name="doctor")
    try:
        return [*found, *postgresql.examine(direct, production=settings.production)]
    finally:
        direct.dispose()
