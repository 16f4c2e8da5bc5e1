"""Units of work. The only place that commits or rolls back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, exc
from sqlalchemy.orm import Session, sessionmaker

# Foreign keys are resolved by name: who writes users alone needs the organizations' model too.
from app.db import registry, sqlite  # noqa: F401
from app.db.errors import DatabaseBusy, DatabaseReadOnly, DatabaseUnavailable, DiskFull
from app.errors import AppError, Conflict

__all__ = ["Database", "DatabaseBusy", "DatabaseUnavailable"]

# What a statement of a session for reading begins with; the first one only with SQLite.
READING = frozenset({"BEGIN", "EXPLAIN", "PRAGMA", "SELECT", "SHOW", "WITH"})
# PostgreSQL's own codes: a standby or one whose disk is nearly full, and one whose disk is full.
READ_ONLY_SQL_TRANSACTION, DISK_FULL = "25006", "53100"


class Database:
    """Hands out sessions for one engine.

    Driver errors are translated here: a lost or refused connection is DatabaseUnavailable, a pool
    that stays empty or a SQLite file that others write to DatabaseBusy, a violated constraint
    Conflict; a full disk is DiskFull, a server that takes no changes DatabaseReadOnly, and a spoilt
    file of SQLite DatabaseDamaged. Anything else is a bug and passes.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._cleanings = sessionmaker(
            engine.execution_options(frees_space=True), expire_on_commit=False
        )
        self._reads = sessionmaker(_for_reads(engine), expire_on_commit=False, autoflush=False)

    @contextmanager
    def begin(self, *, frees_space: bool = False) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back when it raises.

        With embedded SQLite it is DiskFull when the disk has no more than its reserve, except for
        one that `frees_space`.
        """
        sessions = self._cleanings if frees_space else self._sessions
        with _translated(), sessions.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading. To change something in it is a bug, and raises AssertionError.

        With PostgreSQL each statement sees what was committed before it, as in a transaction; there
        is none, whose begin and end would be two more round trips.
        """
        with _translated(), self._reads() as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()


def _for_reads(engine: Engine) -> Engine:
    options: dict[str, Any] = {"read_only": True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "AUTOCOMMIT"
    reads = engine.execution_options(**options)
    event.listen(reads, "before_cursor_execute", _refuse_changes)
    return reads


def _refuse_changes(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    assert statement.split(None, 1)[0].upper() in READING, (
        f"a session for reading may change nothing: {statement}"
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseBusy from error
    except exc.IntegrityError as error:
        raise Conflict from error
    except exc.DBAPIError as error:
        meant = _meaning(error)
        if meant is None:
            raise
        raise meant from error


def _meaning(error: exc.DBAPIError) -> AppError | None:
    """What a client should be told; None for a bug."""
    if sqlite.is_error(error.orig):
        return sqlite.meaning(error.orig)
    code = getattr(error.orig, "pgcode", None)
    if code == READ_ONLY_SQL_TRANSACTION:
        return DatabaseReadOnly()
    if code == DISK_FULL:
        return DiskFull()
    lost = isinstance(error, exc.OperationalError) or error.connection_invalidated
    return DatabaseUnavailable() if lost else None
