"""Writes the database of PostgreSQL into a new SQLite file, which the embedded service runs on."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from pydantic import SecretStr
from sqlalchemy import Engine, exc, make_url

from app.db import engine, migrations
from app.db.errors import DiskFull
from app.db.imports import require_finished
from app.db.init import init_db, require_head
from app.db.sqlite import files, meanings
from app.errors import InvalidInput, Unavailable
from app.ops.migrate import (
    connections,
    export_files,
    export_rows,
    plans,
    report,
    schema,
    target,
    verify,
)
from app.ops.migrate.export_rows import Written
from app.ops.migrate.export_tables import Unexportable
from app.ops.migrate.results import Proof
from app.ops.migrate.unstorable import Unstorable
from app.settings import ADDRESSES, Settings

# Processes that read the new file once more.
JOBS = 2


class NoServer(InvalidInput):
    """There is no PostgreSQL to export from."""


@dataclass(frozen=True)
class Exported:
    """`remarks` are sentences: what somebody should know although every row was written."""

    file: Path
    bytes: int
    seconds: float
    tables: tuple[Written, ...]
    remarks: tuple[str, ...]
    proof: Proof


def export(settings: Settings, file: Path, *, address: str | None = None) -> Exported:
    """Writes all rows of one state of the database.

    It needs as much memory as a few copies of the largest row.

    Args:
        settings: the service's; the database is theirs.
        file: where to; it isn't there yet.
        address: of another database, instead.

    Raises:
        NoServer: the settings name a SQLite file.
        FileTaken, FolderUnwritable: see `export_files.making`.
        ImportUnfinished, SchemaDiffers: the database isn't ready to be exported.
        Unexportable: SQLite can't hold a value or table exactly; the message names it.
        DiskFull, Unavailable: the file's disk is full, or the server can't be reached.
    """
    began = time.monotonic()
    direct = engine.build_direct(_source(settings, address), name="export")
    remarks: list[str] = []
    try:
        with (
            _explained(file),
            export_files.making(file) as folder,
            _snapshot(direct) as cursor,
        ):
            init_db(_embedded(settings, folder), seeds=False)
            with export_files.writing(folder / export_files.NAME) as new:
                written = export_rows.write(cursor, new, remarks)
            dsn = connections.dsn(_source(settings, address))
            proof = _prove(cursor, dsn, folder / export_files.NAME, written)
    finally:
        direct.dispose()
    return Exported(
        file=file,
        bytes=files.size(file),
        seconds=time.monotonic() - began,
        tables=tuple(written),
        remarks=tuple(remarks),
        proof=proof,
    )


def _source(settings: Settings, address: str | None) -> Settings:
    if address is not None:
        _require_readable(address)
        secret = SecretStr(address)
        settings = settings.model_copy(
            update={"database_url": secret, "database_owner_url": secret}
        )
    if engine.url(settings).get_backend_name() != "postgresql":
        raise NoServer(
            "the database is no PostgreSQL: set DATABASE_HOST or DATABASE_URL, or name it with "
            "--from postgresql://user:password@host/name"
        )
    return settings


def _require_readable(address: str) -> None:
    beginning, example = ADDRESSES["database_url"]
    try:
        known = re.match(beginning, address) and make_url(address)
    except (exc.ArgumentError, ValueError):
        known = None
    if not known:
        raise NoServer(f"--from is no address that can be used; write it like {example}")


def _embedded(settings: Settings, folder: Path) -> Settings:
    here = {"data_dir": folder, "database_host": None, "database_url": None}
    return settings.model_copy(update=here | {"database_owner_url": None})


@contextmanager
def _snapshot(direct: Engine) -> Iterator[Cursor]:
    """Sees one state of a database that is ready, for as long as it takes."""
    with direct.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    ) as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        require_finished(connection)
        revision = require_head(connection)
        if migrations.is_newer(revision):
            raise Unexportable(
                f"a newer release made this database (revision {revision}); export it with that one"
            )
        raw: Any = connection.connection.dbapi_connection
        with closing(raw.cursor()) as cursor:
            yield cursor


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Makes sentences of what the drivers say."""
    try:
        yield
    except Unstorable as error:
        raise Unexportable(f"SQLite can't hold {error}; change it, then try again") from error
    except sqlite3.Error as error:
        if meanings.code(error) == sqlite3.SQLITE_FULL:
            raise DiskFull(f"the disk of {file.parent} is full; {file} was not written") from error
        raise Unexportable(f"SQLite refuses to write {file}: {error}") from error
    except psycopg2.errors.InsufficientPrivilege as error:
        raise Unexportable(
            f"the role may not read everything ({_said(error)}); use the owner's, as with "
            f"DATABASE_OWNER_PASSWORD"
        ) from error
    except (psycopg2.Error, exc.DBAPIError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        raise Unavailable(f"PostgreSQL failed: {_said(cause)}") from error


def _said(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]


def _prove(cursor: Cursor, dsn: str, file: Path, written: list[Written]) -> Proof:
    """Compares the file with the database, in whose snapshot the cursor still is.

    It is the proof of an import, with the new file in the place of the old one.

    Raises:
        Unexportable: they differ, or the file is damaged.
    """
    with files.connected(file, "ro") as connection:
        for (line,) in connection.execute("PRAGMA integrity_check"):
            # Old rows of tables that an import kept may break their rules.
            if line != "ok" and not line.startswith(("CHECK constraint", "NULL value")):
                raise Unexportable(f"the new file is damaged: {line}")
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            raise Unexportable(f"a row of {broken[0]} refers to a missing one of {broken[2]}")
        cursor.execute("SELECT pg_export_snapshot()")
        ((snapshot,),) = cursor.fetchall()
        matched = plans.match(connection, schema.catalogue(connection), _places(cursor, written))
    found = verify.verify(
        matched, file, lambda: psycopg2.connect(dsn), jobs=JOBS, saved=None, snapshot=snapshot
    )
    if not found.is_equal:
        raise Unexportable("; ".join(report.differing(found)))
    return found


def _places(cursor: Cursor, written: list[Written]) -> dict[str, tuple[str, target.Table]]:
    """What each table of the file was written from."""
    found = {name: target.catalogue(cursor, name) for name in {one.schema for one in written}}
    return {one.name: (one.schema, found[one.schema].tables[one.table]) for one in written}
