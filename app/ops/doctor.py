"""Looks at a whole installation."""

import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from qdrant_client import QdrantClient
from redis import Redis, RedisError
from sqlalchemy import text

from app.cache import client as cache
from app.cache import keys
from app.db import engine
from app.db.session import Database
from app.db.sqlite import checkpoints, files, integrity
from app.errors import AppError
from app.health import checks
from app.jobs import broker as brokers
from app.jobs import tasks
from app.ops import vectors as search
from app.settings import Settings
from app.vectors import client as vectors

# For psql, backups, migrations and commands.
SPARE_CONNECTIONS = 20
JOB_PATIENCE_S = 10.0
# It is emptied when it is a quarter of this; one that grows on is kept from it by a reader.
JOURNAL_LIMIT_MB = 4 * checkpoints.TRUNCATE_ABOVE_MB


@dataclass(frozen=True)
class Finding:
    ok: bool
    what: str
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Asks every service, proves that a job comes through, and checks the sum of connections, or
    the file of an embedded database."""
    database = Database(engine.build(settings, name="doctor", threads=1))
    redis = cache.build(settings)
    qdrant = vectors.build(settings)
    try:
        services = checks.Services(database, redis, qdrant, settings.maintenance)
        readiness = checks.readiness(services)
        found = [
            Finding(health.ok, name, f"{health.version or health.problem} ({health.ms} ms)")
            for name, health in readiness.services.items()
        ]
        if not settings.maintenance:
            found.append(_search(database, qdrant, settings))
        worker = _in_maintenance() if settings.maintenance else _worker(redis)
        return [*found, worker, *_connections(database, settings), *examine_file(settings)]
    finally:
        qdrant.close()
        redis.close()
        database.close()


def examine_file(settings: Settings) -> list[Finding]:
    """Looks at the file of an embedded database, all of it, and at its disk."""
    file = engine.file(settings)
    if file is None:
        return []
    return [_integrity(file), _journal(file), _disk(file, settings.disk_reserve_mb)]


def _search(database: Database, qdrant: QdrantClient, settings: Settings) -> Finding:
    ok, detail = search.examine(database, qdrant, settings)
    return Finding(ok, "search", detail)


def _in_maintenance() -> Finding:
    return Finding(True, "worker", "takes no jobs; MAINTENANCE is true")


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
    worker = settings.worker_threads + 2 * settings.ingestion_threads + 1
    needed = web + worker + SPARE_CONNECTIONS
    try:
        with database.read() as session:
            allowed = int(session.scalar(text("SHOW max_connections")) or 0)
    except AppError as error:
        return [Finding(False, "connections", error.detail)]
    detail = f"{needed} may be needed by one app container and its worker, {allowed} are allowed"
    return [Finding(needed <= allowed, "connections", detail)]


def _integrity(file: Path) -> Finding:
    try:
        with files.connected(file, "ro", patience_s=JOB_PATIENCE_S) as connection:
            found = integrity.look(connection, "integrity_check")
    except sqlite3.Error as error:
        return Finding(False, "integrity", f"can't be checked: {error}")
    wrong = [*found.damage, *found.indexes]
    if wrong:
        fix = "restore a backup" if found.damage else "stop all and run `mindgraph init-db`"
        return Finding(False, "integrity", f"{len(wrong)} problems, first: {wrong[0]}; {fix}")
    detail = f"{files.size(file) / files.MB:.1f} MB without damage"
    if found.orphans or found.rows:
        detail += f"; {found.orphans} rows refer to missing ones, {len(found.rows)} break a rule"
    return Finding(True, "integrity", detail)


def _journal(file: Path) -> Finding:
    size_mb = files.size(files.journal(file)) / files.MB
    last = checkpoints.last(file)
    when = f"{last:%Y-%m-%d %H:%M:%S} UTC" if last else "none yet"
    maker = "" if checkpoints.are_made(file) else "; no process makes checkpoints now"
    detail = f"{size_mb:.1f} MB, last checkpoint: {when}{maker}"
    return Finding(size_mb <= JOURNAL_LIMIT_MB, "journal", detail)


def _disk(file: Path, reserve_mb: int) -> Finding:
    free_mb = files.free_mb(file.parent)
    detail = f"{free_mb} MB free at {file.parent}, {reserve_mb} are kept in reserve"
    return Finding(free_mb >= reserve_mb, "disk", detail)
