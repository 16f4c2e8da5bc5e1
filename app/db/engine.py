"""Builds engines. PostgreSQL is the real one; SQLite is the embedded default.

All of them hide parameters: a message of an error would carry hashes of passwords into the log.
"""

import os
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

from app import metrics
from app.db import slow, sqlite
from app.db.pool import MeasuredPool, ask_the_idle
from app.db.sqlite import files
from app.errors import Unavailable
from app.settings import Settings

IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000


class FolderUnusable(Unavailable):
    """The folder of the database file can't be written."""


def url(settings: Settings, *, owner: bool = False) -> URL:
    """The database's URL for the app's role, or for the owner, who alone may change the schema and
    reaches the server itself where the app goes through a pooler.

    Built from parts, so that any character may stand in a password.
    """
    given = (owner and settings.database_owner_url) or settings.database_url
    if given is not None:
        return _with_driver(make_url(given.get_secret_value()))
    if settings.database_host is None:
        return URL.create("sqlite", database=str(settings.data_dir / "mindgraph.db"))
    password = settings.database_owner_password if owner else settings.database_password
    role = settings.database_owner if owner else settings.database_user
    if owner and password is None:
        # One role for all is common with managed databases.
        password, role = settings.database_password, settings.database_user
    return URL.create(
        "postgresql+psycopg2",
        username=role,
        password=password.get_secret_value() if password else None,
        host=(owner and settings.database_direct_host) or settings.database_host,
        port=(owner and settings.database_direct_port) or settings.database_port,
        database=settings.database_name,
        query=_encryption(settings),
    )


def _encryption(settings: Settings) -> dict[str, str]:
    """What the driver knows by the same names."""
    given = {"sslmode": settings.database_sslmode, "sslrootcert": settings.database_sslrootcert}
    return {name: value for name, value in given.items() if value}


def file(settings: Settings) -> Path | None:
    """The embedded database's file; None where the database is no file."""
    target = url(settings)
    return files.of(target) if target.get_backend_name() == "sqlite" else None


def build(settings: Settings, *, name: str, threads: int) -> Engine:
    """The pooled engine of one process.

    Args:
        settings: the service's.
        name: shown as application_name in the server, after "mindgraph-".
        threads: how many use it at once, and so the size of the pool: a thread never waits for a
            connection that another one holds.
    """
    target = url(settings)
    if target.get_backend_name() == "sqlite":
        return sqlite.build(_with_folder(target), reserve_mb=settings.disk_reserve_mb)
    metrics.POOL_SIZE.labels(name).set(threads)
    built = create_engine(
        target,
        poolclass=MeasuredPool,
        pool_logging_name=name,
        pool_size=threads,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout_s,
        connect_args=_connect_args(settings, name),
        hide_parameters=True,
    )
    ask_the_idle(built)
    if settings.database_slow_ms is not None:
        slow.watch(built, settings.database_slow_ms)
    return built


def build_direct(settings: Settings, *, name: str) -> Engine:
    """An engine without a pool, as the owner: for migrations and for locks held by a session."""
    target = url(settings, owner=True)
    if target.get_backend_name() == "sqlite":
        return sqlite.build(_with_folder(target))
    return create_engine(
        target,
        poolclass=NullPool,
        connect_args=_connect_args(settings, name),
        hide_parameters=True,
    )


def _connect_args(settings: Settings, name: str) -> dict[str, object]:
    limits = {
        "statement_timeout": settings.database_statement_timeout_ms,
        "lock_timeout": settings.database_lock_timeout_ms,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
        "TimeZone": "UTC",
    }
    return {
        "connect_timeout": settings.database_connect_timeout_s,
        "application_name": f"mindgraph-{name}",
        "options": " ".join(f"-c {key}={value}" for key, value in limits.items()),
        # A peer that vanished without a word is found in half a minute, not in two hours.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
    }


def _with_driver(given: URL) -> URL:
    # In SQLAlchemy 2.1 a bare postgresql:// means psycopg 3; this project uses psycopg2.
    if given.drivername in {"postgres", "postgresql"}:
        return given.set(drivername="postgresql+psycopg2")
    return given


def _with_folder(given: URL) -> URL:
    if given.database and given.database != ":memory:":
        _ensure_writable(Path(given.database).parent)
    return given


def _ensure_writable(folder: Path) -> None:
    problem = "permission denied"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = error.strerror or str(error)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FolderUnusable(f"can't write in {folder} ({problem}); set DATA_DIR to another folder")
