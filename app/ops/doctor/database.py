"""The schema, and the sum of connections."""

from sqlalchemy import text

from app.db import init, migrations
from app.db.session import Database
from app.errors import AppError
from app.ops.doctor import findings
from app.ops.doctor.findings import Finding
from app.settings import Settings

# For psql, backups, migrations and commands.
SPARE_CONNECTIONS = 20


def schema(database: Database) -> Finding:
    """The schema of the database against the one that this code needs."""
    try:
        with database.read() as session:
            found = init.require_head(session.connection())
    except init.SchemaDiffers:
        return _pending(database)
    except AppError as error:
        return findings.failure("schema", error.detail, "see what is said of the database")
    if migrations.is_newer(found):
        return findings.ok("schema", f"{found}, which a newer release has made")
    return findings.ok("schema", f"{found}, no migration is pending")


def _pending(database: Database) -> Finding:
    with database.read() as session:
        found = migrations.current(session.connection())
    pending = migrations.pending(found)
    return findings.failure(
        "schema",
        f"at {found or 'nothing'}, {len(pending)} migrations are pending up to {pending[-1]}",
        "`mindgraph init-db`",
    )


def connections(database: Database, settings: Settings) -> list[Finding]:
    """What one app container and its worker may need, against what the server allows."""
    if settings.embedded:
        return []
    # One more for each recorder of usage, and for the worker's own look at the schema.
    web = settings.web_workers * (settings.web_threads + 1)
    worker = settings.worker_threads + 2 * settings.ingestion_threads + 1
    try:
        with database.read() as session:
            allowed = int(session.scalar(text("SHOW max_connections")) or 0)
    except AppError as error:
        return [findings.failure("connections", error.detail, "see what is said of the database")]
    if settings.database_direct_host:
        return [_pooled(web + worker, allowed)]
    needed = web + worker + SPARE_CONNECTIONS
    seen = f"{needed} may be needed by one app container and its worker, {allowed} are allowed"
    if needed <= allowed:
        return [findings.ok("connections", seen)]
    fix = "raise POSTGRES_MAX_CONNECTIONS, or lower WEB_WORKERS or WEB_THREADS, in .env"
    return [findings.failure("connections", seen, fix)]


def _pooled(needed: int, allowed: int) -> Finding:
    # How many the pooler lets in, and makes, is seen from outside: `pooler` of deploy/mindgraph.
    seen = f"{needed} may be needed by app and worker from the pooler; the server allows {allowed}"
    if allowed > SPARE_CONNECTIONS:
        return findings.ok("connections", seen)
    fix = f"raise POSTGRES_MAX_CONNECTIONS over {SPARE_CONNECTIONS} in .env"
    return findings.failure("connections", seen, fix)
