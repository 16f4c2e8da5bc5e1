"""Connections to the target as an import needs them: its owner's, direct, and patient."""

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import make_dsn
from sqlalchemy import make_url

from app.db import engine
from app.errors import AppError, Conflict, InvalidInput, Unavailable
from app.settings import Settings

# An index of a large table takes long; a lock that the service's own sessions hold should not.
LOCK_TIMEOUT_MS = 30_000
# The class of errors for memory, disk, connections and limits.
RESOURCES = "53"
# All connections of imports have this name, and no others.
PROGRAM = "mindgraph-import"
# More is faster for indexes; several are made at once.
MAINTENANCE_WORK_MEM = "256MB"
OPTIONS = {
    "statement_timeout": "0",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": "0",
    "TimeZone": "UTC",
    # What is asked of the server's own catalogue looks costly to it, and isn't.
    "jit": "off",
    "client_encoding": "UTF8",
    "maintenance_work_mem": MAINTENANCE_WORK_MEM,
    # A commit that a crash of the server takes back takes the note of it back as well.
    "synchronous_commit": "off",
}


class ConnectionLost(Unavailable):
    """The connection to PostgreSQL is gone; run the command again with --resume."""


class ProcessLost(Conflict):
    """A process of the import was ended from outside; run the command again with --resume."""


def dsn(settings: Settings) -> str:
    """How to reach the target as the owner, with the password in it.

    Raises:
        InvalidInput: the settings name no PostgreSQL.
    """
    url = engine.url(settings, owner=True)
    if url.get_backend_name() != "postgresql":
        raise InvalidInput(
            "the target must be PostgreSQL: set DATABASE_HOST and its passwords, "
            "or say --to postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    options = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
    parts = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
        "connect_timeout": settings.database_connect_timeout_s,
        "application_name": PROGRAM,
        "options": options,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        **{name: str(value) for name, value in url.query.items() if name != "application_name"},
    }
    return make_dsn(**{name: str(value) for name, value in parts.items() if value is not None})


def shown(settings: Settings) -> str:
    """The target without the password."""
    return make_url(engine.url(settings, owner=True)).render_as_string(hide_password=True)


@contextmanager
def opened(target: str, search_path: Sequence[str]) -> Iterator[Connection]:
    """Raises ConnectionLost."""
    try:
        connection = psycopg2.connect(target)
    except psycopg2.OperationalError as error:
        raise ConnectionLost(
            f"no connection to PostgreSQL ({_said(error)}); when there is one, run the command "
            f"again, and with --resume if an import had begun"
        ) from error
    try:
        with connection.cursor() as cursor:
            names = sql.SQL(", ").join(map(sql.Identifier, search_path))
            cursor.execute(sql.SQL("SET search_path TO {}").format(names))
        connection.commit()
        yield connection
    finally:
        connection.close()


@contextmanager
def explained() -> Iterator[None]:
    """Raises what people should be told instead of errors of the driver."""
    try:
        yield
    except (psycopg2.Error, sqlite3.Error, BrokenProcessPool) as error:
        meant = meaning(error)
        if meant is None:
            raise
        raise meant from error


def meaning(error: Exception) -> AppError | None:
    """What people should be told; None for a bug."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, BrokenProcessPool):
        return ProcessLost()
    if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError):
        return _of_file(error)
    return _of_server(error)


def _of_file(error: sqlite3.Error) -> AppError | None:
    """Of a file that could be read when the import began; its disk, or the network, failed."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
        return None
    return InvalidInput(
        f"the SQLite file can't be read any more ({error}); see to its disk, and run the command "
        f"again with --resume"
    )


def _of_server(error: Exception) -> AppError | None:
    if isinstance(error, psycopg2.errors.LockNotAvailable):
        return Unavailable(
            "another session holds a lock on the target's tables for too long: stop the service "
            "while its database is being filled, and run the command again, with --resume if an "
            "import had begun"
        )
    if isinstance(error, psycopg2.errors.DiskFull):
        return Unavailable(
            "PostgreSQL's disk is full; make room, and run the command again with --resume"
        )
    if isinstance(error, psycopg2.Error) and (error.pgcode or "").startswith(RESOURCES):
        return Unavailable(
            f"PostgreSQL has too little of something ({_said(error)}); give it more, and run the "
            f"command again with --resume"
        )
    if isinstance(error, psycopg2.errors.ReadOnlySqlTransaction):
        return InvalidInput("the target is read-only; name the server that others are copies of")
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return InvalidInput(
            f"this role may not do what an import needs ({_said(error)}): use the owner of "
            f"the database and its tables"
        )
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or (
        # What the driver says where a connection broke in the middle of a COPY.
        type(error) is psycopg2.DatabaseError and error.pgcode is None
    ):
        return ConnectionLost(
            f"the connection to PostgreSQL is gone ({_said(error) or 'closed'}); run the "
            f"command again with --resume"
        )
    return None


def _said(error: Exception) -> str:
    """In one line; the driver's own has several, with tabs."""
    return " ".join(str(error).split())
