"""Brings a database to the schema that this code needs."""

import time
from dataclasses import dataclass, replace

import structlog
from alembic import command
from sqlalchemy import Connection, Engine, exc, text

from app.db import engine as engines
from app.db import imports, locks, migrations, seed
from app.db.sqlite import disk, verdict
from app.db.sqlite.verdict import Verdict
from app.errors import AppError, Unavailable
from app.settings import Settings

log = structlog.get_logger(__name__)

CONNECT_PATIENCE_S = 60.0
# Ten replicas from cold wait for one that migrates; a long migration of a large table counts.
LOCK_PATIENCE_S = 1_800.0
MIGRATION_LOCK_TIMEOUT_MS = 10_000


class SchemaDiffers(AppError):
    """The database's schema is not the one that this release needs."""

    status = 503


@dataclass(frozen=True)
class InitReport:
    """What `init_db` did. `before` is None for a database that had no schema; `verdict` tells how
    the embedded database's file was found."""

    before: str | None
    after: str
    organizations: int
    verdict: Verdict | None = None

    @property
    def changed(self) -> bool:
        return self.before != self.after or self.organizations > 0


def init_db(
    settings: Settings,
    *,
    thorough: bool = False,
    seeds: bool = True,
    allow_unfinished: bool = False,
) -> InitReport:
    """Judges the embedded database's file, migrates to head, seeds an empty database, and checks
    the result against the models.

    Safe to call from any number of processes at once: one works, the others wait and then check.
    A database that is at head, or that a newer release has prepared, is left alone.

    Args:
        settings: the service's.
        thorough: make the full check of a large file as well.
        seeds: whether an empty database gets its organizations.
        allow_unfinished: for the import itself, that goes on.

    Raises:
        ImportUnfinished: an import into this database is under way or was interrupted.
        SchemaDiffers: the schema is not the models' one afterwards.
        Unavailable: no connection within a minute, or another process holds the lock too long.
        DatabaseDamaged, FileUnusable: the embedded database's file can't be used.
    """
    found = judge_file(settings, thorough=thorough)
    report = _init(settings, seeds=seeds, allow_unfinished=allow_unfinished)
    return replace(report, verdict=found)


def judge_file(settings: Settings, *, thorough: bool = False) -> Verdict | None:
    """Checks the embedded database's file before it is used, and recovers it; None without one.

    Safe to call from any number of processes at once.

    Args:
        settings: the service's.
        thorough: make the full check of a large file as well.

    Raises:
        DatabaseDamaged, FileUnusable: the message says what to do.
        Unavailable: another process holds the lock too long.
    """
    file = engines.file(settings)
    if file is None:
        return None
    direct = engines.build_direct(settings, name="judge")
    try:
        with locks.exclusive(direct, timeout_s=LOCK_PATIENCE_S):
            return verdict.judge(file, thorough=thorough)
    finally:
        direct.dispose()


def _init(settings: Settings, *, seeds: bool, allow_unfinished: bool) -> InitReport:
    direct = engines.build_direct(settings, name="init")
    try:
        before = _wait_for_connection(direct)
        if not allow_unfinished:
            _require_finished(direct)
        if before and migrations.is_newer(before):
            log.warning("a newer release has prepared the database", revision=before)
            return InitReport(before, before, 0)
        # A kill between the migration and the seeds leaves a head without seeds.
        if before == migrations.head() and not (seeds and seed.wanting(direct, settings)):
            return InitReport(before, before, 0)
        with locks.exclusive(direct, timeout_s=LOCK_PATIENCE_S):
            if not allow_unfinished:
                # Begun while this one waited.
                _require_finished(direct)
            return _prepare(direct, settings, seeds=seeds)
    finally:
        direct.dispose()


def require_head(connection: Connection) -> str:
    """The schema's revision.

    Raises:
        SchemaDiffers: it is older than this code needs.
        ImportUnfinished: rows are missing that an import still brings.
    """
    imports.require_finished(connection)
    found = migrations.current(connection)
    if found == migrations.head() or (found and migrations.is_newer(found)):
        return found
    raise SchemaDiffers(
        f"the database is at revision {found or 'none'}, this release needs "
        f"{migrations.head()}; run `mindgraph init-db`"
    )


def _require_finished(direct: Engine) -> None:
    with direct.connect().execution_options(read_only=True) as connection:
        imports.require_finished(connection)


def _prepare(direct: Engine, settings: Settings, *, seeds: bool) -> InitReport:
    with direct.begin() as connection:
        before = migrations.current(connection)
    if before and migrations.is_newer(before):
        # Somebody else had the lock meanwhile.
        return InitReport(before, before, 0)
    if before != migrations.head():
        disk.require(engines.file(settings), settings.disk_reserve_mb)
        _upgrade(direct, before)
    organizations = seed.seed(direct, settings) if seeds else 0
    with direct.connect() as connection:
        problems = migrations.differences(connection)
    if problems:
        raise SchemaDiffers(
            "the schema differs from this release's models:\n  " + "\n  ".join(problems)
        )
    return InitReport(before, migrations.head(), organizations)


def _upgrade(direct: Engine, before: str | None) -> None:
    log.info("migrating", before=before, to=migrations.head())
    start = time.monotonic()
    with direct.connect() as connection:
        _allow_long_statements(connection)
        command.upgrade(migrations.config(connection), "head")
        connection.commit()
    log.info("migrated", to=migrations.head(), seconds=round(time.monotonic() - start, 2))


def _allow_long_statements(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    # A long build of an index is wanted; a long wait for a lock would queue all users behind it.
    connection.execute(text("SET statement_timeout = 0"))
    connection.execute(text(f"SET lock_timeout = {MIGRATION_LOCK_TIMEOUT_MS}"))
    connection.commit()


def _wait_for_connection(direct: Engine) -> str | None:
    start = time.monotonic()
    said = False
    while True:
        try:
            with direct.connect().execution_options(read_only=True) as connection:
                return migrations.current(connection)
        except exc.OperationalError as error:
            # A file doesn't come up later, a server does.
            patience = 0.0 if direct.dialect.name == "sqlite" else CONNECT_PATIENCE_S
            if time.monotonic() - start > patience:
                raise Unavailable(f"no connection to the database: {error.orig}") from error
            if not said:
                log.info("waiting for the database", reason=str(error.orig).strip())
                said = True
            time.sleep(0.2)
