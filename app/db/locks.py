"""A lock that one process at a time holds on a database, whatever else happens to that process:
it is freed when its connection or file closes."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import Engine, text

from app.errors import Unavailable

log = structlog.get_logger(__name__)

# Any number that no other program on this database uses: "MindGrap" as eight bytes.
INIT_KEY = int.from_bytes(b"MindGrap", "big")
REINDEX_KEY = INIT_KEY + 1
ADOPTION_KEY = INIT_KEY + 2
# Of the file that is the lock beside a SQLite file.
SUFFIXES = {INIT_KEY: "init", REINDEX_KEY: "reindex", ADOPTION_KEY: "adoption"}
POLL_S = 0.1
SAY_EVERY_S = 10.0


class LockTimeout(Unavailable):
    """Another process does the same on this database and has not come to its end; see its log."""


@contextmanager
def exclusive(direct: Engine, *, timeout_s: float, key: int = INIT_KEY) -> Iterator[None]:
    """Holds the lock for the block.

    Args:
        direct: an engine that reaches the server itself. Through a pooler in transaction mode the
            lock would stay with a server connection that somebody else gets next.
        timeout_s: seconds to wait for the holder.
        key: which of the locks; by default the one on the database's structure.

    Raises:
        LockTimeout: the holder didn't finish in time.
    """
    hold = _sqlite if direct.dialect.name == "sqlite" else _postgresql
    with hold(direct, timeout_s, key):
        yield


@contextmanager
def _postgresql(direct: Engine, timeout_s: float, key: int) -> Iterator[None]:
    take = text("SELECT pg_try_advisory_lock(:key)")
    # Autocommit: an open transaction here would hold back vacuum and meet the idle limit.
    options = {"isolation_level": "AUTOCOMMIT"}
    with direct.connect().execution_options(**options) as connection:
        # The backend ends with the connection, and the lock with the backend: no unlock to forget.
        _wait(lambda: bool(connection.scalar(take, {"key": key})), timeout_s)
        yield


@contextmanager
def _sqlite(direct: Engine, timeout_s: float, key: int) -> Iterator[None]:
    database = direct.url.database
    if not database or database == ":memory:":
        yield
        return
    with Path(f"{database}.{SUFFIXES[key]}.lock").open("wb") as file:
        _wait(lambda: try_flock(file.fileno()), timeout_s)
        yield


def try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(taken: Callable[[], bool], timeout_s: float) -> None:
    start = said = time.monotonic()
    while not taken():
        now = time.monotonic()
        if now - start > timeout_s:
            raise LockTimeout
        if now - said > SAY_EVERY_S:
            said = now
            log.info(
                "another process has the lock on the database; waiting", waited_s=round(now - start)
            )
        time.sleep(POLL_S)
