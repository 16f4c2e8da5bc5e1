"""A worker's hold on a version: nobody else works on it, for as long as the worker says that it
still does."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

import structlog
from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.errors import AppError
from app.knowledge import claim_queries
from app.knowledge.claim_queries import Claimed

log = structlog.get_logger(__name__)

HOLD_S = 30.0
RENEW_EVERY_S = 8.0
# Less than the hold by what one write to Qdrant may take.
TRUSTED_S = 15.0


class ClaimLost(Exception):
    """The version was deleted or cancelled, or another worker has it: nothing more is done."""


class Claim:
    """One version in hand, kept by a thread until the block ends."""

    def __init__(self, database: Database, version_id: str, token: str) -> None:
        self.database = database
        self.version_id = version_id
        self.token = token
        # Set when the version isn't this worker's any more.
        self.lost = threading.Event()
        self._done = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name="claim", daemon=True)

    def __enter__(self) -> "Claim":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def require(self) -> None:
        """Raises ClaimLost, also when it could not be renewed for too long."""
        if self.lost.is_set() or time.monotonic() - self._renewed > TRUSTED_S:
            raise ClaimLost

    def read(self) -> Claimed:
        """The version as it is now. Raises ClaimLost."""
        self.require()
        with self.database.read() as session:
            found = claim_queries.read(session, self.version_id, self.token)
        if found is None:
            raise ClaimLost
        return found

    @contextmanager
    def writing(self, first: Callable[[Session], object] | None = None) -> Iterator[Session]:
        """A transaction that ends in nothing when the version isn't this worker's any more.

        Args:
            first: locks what else the transaction needs of user and document: everybody locks
                them before versions, so that nobody waits in a circle.

        Raises:
            ClaimLost.
        """
        self.require()
        with self.database.begin() as session:
            if first is not None:
                first(session)
            # The version's row is locked from here on: who wants to end the claim waits.
            self.write(session, claimed_until=_until())
            yield session

    def write(self, session: Session, **values: Any) -> None:
        """Changes the version. Raises ClaimLost."""
        if not claim_queries.write(session, self.version_id, self.token, **values):
            raise ClaimLost

    def _keep(self) -> None:
        while not self._done.wait(RENEW_EVERY_S):
            try:
                with self.database.begin() as session:
                    self.write(session, claimed_until=_until())
                self._renewed = time.monotonic()
            except ClaimLost:
                self.lost.set()
                return
            except AppError as error:
                log.warning("a claim could not be renewed", reason=error.detail)


def take(database: Database) -> Claim | None:
    """The version that has been due for longest, if one is."""
    # On SQLite whoever begins to write keeps all others from it, and mostly there is nothing.
    with database.read() as session:
        if not claim_queries.is_due(session, clock.now()):
            return None
    token = str(uuid.uuid4())
    with database.begin() as session:
        version_id = claim_queries.claim(session, token, clock.now(), _until())
    return None if version_id is None else Claim(database, version_id, token)


def released_at(claimed_until: datetime | None) -> datetime:
    """From when on no worker that held a version writes points of it."""
    now = clock.now()
    return now if claimed_until is None else max(now, claimed_until)


def _until() -> datetime:
    return clock.now() + timedelta(seconds=HOLD_S)
