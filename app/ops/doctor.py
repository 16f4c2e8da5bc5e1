"""Looks at a whole installation."""

import secrets
import time
from dataclasses import dataclass

from redis import Redis, RedisError
from sqlalchemy import text

from app.cache import client as cache
from app.cache import keys
from app.db import engine
from app.db.session import Database
from app.errors import AppError
from app.health import checks
from app.jobs import broker as brokers
from app.jobs import tasks
from app.settings import Settings
from app.vectors import client as vectors

# For psql, backups, migrations and commands.
SPARE_CONNECTIONS = 20
JOB_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Finding:
    ok: bool
    what: str
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Asks every service, proves that a job comes through, and checks the sum of connections."""
    database = Database(engine.build(settings, name="doctor", threads=1))
    redis = cache.build(settings)
    qdrant = vectors.build(settings)
    try:
        readiness = checks.readiness(checks.Services(database, redis, qdrant))
        found = [
            Finding(health.ok, name, f"{health.version or health.problem} ({health.ms} ms)")
            for name, health in readiness.services.items()
        ]
        return [*found, _worker(redis), *_connections(database, settings)]
    finally:
        qdrant.close()
        redis.close()
        database.close()


def _worker(redis: Redis) -> Finding:
    nonce = secrets.token_hex(8)
    start = time.monotonic()
    try:
        brokers.build(redis).enqueue(tasks.message(tasks.PROVE, nonce))
        while not redis.exists(keys.worker_proof(nonce)):
            if time.monotonic() - start > JOB_PATIENCE_S:
                return Finding(False, "worker", "took no job; is `mindgraph worker` running?")
            time.sleep(0.05)
    except RedisError as error:
        return Finding(False, "worker", f"can't be asked: {error}")
    return Finding(True, "worker", f"did a job in {time.monotonic() - start:.1f} s")


def _connections(database: Database, settings: Settings) -> list[Finding]:
    if settings.embedded:
        return []
    # One more for each recorder of usage, and for the worker's own look at the schema.
    web = settings.web_workers * (settings.web_threads + 1)
    needed = web + settings.worker_threads + 1 + SPARE_CONNECTIONS
    try:
        with database.read() as session:
            allowed = int(session.scalar(text("SHOW max_connections")) or 0)
    except AppError as error:
        return [Finding(False, "connections", error.detail)]
    detail = f"{needed} may be needed by one app container and its worker, {allowed} are allowed"
    return [Finding(needed <= allowed, "connections", detail)]
