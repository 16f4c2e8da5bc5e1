"""Units of work. The only place that commits or rolls back."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, exc
from sqlalchemy.orm import Session, sessionmaker

# Foreign keys are resolved by name: who writes users alone needs the organizations' model too.
from app.db import registry, sqlite  # noqa: F401
from app.errors import Conflict, Unavailable

READ_ONLY_SQL_TRANSACTION = "25006"


class DatabaseUnavailable(Unavailable):
    """The database doesn't answer; try again shortly."""


class DatabaseBusy(Unavailable):
    """All connections to the database are in use; try again shortly."""


class Database:
    """Hands out sessions for one engine.

    Driver errors are translated here: a lost or refused connection is DatabaseUnavailable, a pool
    that stays empty DatabaseBusy, a violated constraint Conflict. Anything else is a bug and
    passes.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._reads = sessionmaker(
            engine.execution_options(read_only=True), expire_on_commit=False, autoflush=False
        )

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back when it raises."""
        with _translated(), self._sessions.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; whatever it changed is rolled back."""
        with _translated(), self._reads() as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()


def _is_read_only(error: exc.DBAPIError) -> bool:
    """Whether the server takes no writes now, as a standby or one whose disk is nearly full."""
    return getattr(error.orig, "pgcode", None) == READ_ONLY_SQL_TRANSACTION


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseBusy from error
    except exc.IntegrityError as error:
        raise Conflict from error
    except exc.OperationalError as error:
        if sqlite.is_mistake(error.orig):
            raise
        raise DatabaseUnavailable from error
    except exc.DBAPIError as error:
        if error.connection_invalidated or _is_read_only(error):
            raise DatabaseUnavailable from error
        raise
