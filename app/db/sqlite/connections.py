"""What SQLite needs and PostgreSQL doesn't. Nothing in here runs on PostgreSQL."""

import bisect
import functools
import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from app.db.sqlite import files
from app.db.sqlite.disk import Reserve

BUSY_TIMEOUT_MS = 10_000


def build(target: URL, *, reserve_mb: int = 0) -> Engine:
    """An engine whose connections use WAL, wait for a busy writer and check foreign keys.

    Args:
        target: where the file is.
        reserve_mb: no write begins while the file's disk has less than this free.
    """
    engine = create_engine(target, connect_args={"check_same_thread": False}, hide_parameters=True)
    event.listen(engine, "connect", _configure)
    file = files.of(target)
    if file and reserve_mb:
        event.listen(engine, "begin", Reserve(file, reserve_mb).require)
    event.listen(engine, "begin", _begin)
    return engine


def prepare_for_migrations(connection: Connection) -> None:
    """Lets a migration replace a table that others refer to. Not within a transaction.

    The connection is closed after its use instead of going back to the pool.
    """
    raw: Any = connection.connection.dbapi_connection
    if not connection.connection.is_detached:
        connection.detach()
    raw.execute("PRAGMA foreign_keys=OFF")


def check_foreign_keys(connection: Connection) -> None:
    """Raises IntegrityError where a row refers to one that isn't there."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        table, row, target, _ = broken[0]
        raise sqlite3.IntegrityError(
            f"{len(broken)} rows refer to rows that are missing, first row {row} of {table}, "
            f"to {target}"
        )


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transaction handling opens no transaction before SELECT or DDL; we do.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        # In WAL mode NORMAL can lose the last commits at a power cut. What was acknowledged
        # must be there, so each commit is flushed.
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("width_bucket", 2, _width_bucket, deterministic=True)


def _width_bucket(value: str, bounds: str) -> int:
    """PostgreSQL's function of this name: how many of the bounds, a JSON array, are not above."""
    return bisect.bisect_right(_parse(bounds), value)


@functools.lru_cache(maxsize=16)
def _parse(bounds: str) -> Sequence[str]:
    parsed: list[str] = json.loads(bounds)
    return parsed


def _begin(connection: Connection) -> None:
    # A writer takes the write lock at once: a transaction that reads first and writes later can
    # fail with "database is locked" without waiting, whatever busy_timeout says.
    reads = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
