"""Group commit: what callers bring while one transaction is written goes into the next, together.

A caller waits until its events are committed, so what it acknowledges survives any crash, and many
callers share the cost of one flush to the disk.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from app import metrics
from app.db.session import Database
from app.errors import Unavailable
from app.usage import queries
from app.usage.errors import RecorderClosed, RecorderFull
from app.usage.schemas import UsageEvent

BATCH_ROWS = 500
QUEUE_ROWS = 10_000


@dataclass(eq=False)
class _Call:
    events: Sequence[UsageEvent]
    stored: Future[int] = field(default_factory=Future)


class Recorder:
    """Stores usage with one thread and one connection of its own.

    Args:
        database: its pool has a connection for the thread.
        queue_rows: how many events may wait. More are refused, so that a slow database fills no
            memory.
    """

    def __init__(self, database: Database, *, queue_rows: int = QUEUE_ROWS) -> None:
        self._database = database
        self._queue_rows = queue_rows
        self._calls: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.waiting = 0
        self._thread = threading.Thread(target=self._work, name="usage-recorder", daemon=True)
        self._thread.start()

    def record(self, events: Sequence[UsageEvent]) -> int:
        """Stores events and returns when they are committed.

        Returns:
            How many of them are new: an event whose id is there already isn't counted again.

        Raises:
            RecorderFull, RecorderClosed: nothing was stored.
            Unavailable: the database failed; whether they were stored is open, so send them again.
        """
        if not events:
            return 0
        call = _Call(events)
        with self._changed:
            if self._closed:
                raise RecorderClosed
            if self.waiting and self.waiting + len(events) > self._queue_rows:
                metrics.USAGE_REFUSED.inc(len(events))
                raise RecorderFull
            self._calls.append(call)
            self.waiting += len(events)
            metrics.USAGE_WAITING.set(self.waiting)
            self._changed.notify()
        return call.stored.result()

    def close(self) -> None:
        """Stores what waits, and ends. The database is closed after it."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._take():
            self._store(batch)

    def _take(self) -> list[_Call]:
        """The calls for the next transaction; none when the recorder is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or self._closed)
            batch: list[_Call] = []
            rows = 0
            while self._calls and (not batch or rows + len(self._calls[0].events) <= BATCH_ROWS):
                batch.append(self._calls.popleft())
                rows += len(batch[-1].events)
            self.waiting -= rows
            metrics.USAGE_WAITING.set(self.waiting)
            return batch

    def _store(self, batch: Sequence[_Call]) -> None:
        try:
            counts = self._commit(batch)
        except Unavailable as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            # One caller's events can't be stored, and nobody else shall suffer for it.
            for call in batch:
                self._store([call])
        else:
            for call, count in zip(batch, counts, strict=True):
                call.stored.set_result(count)

    def _commit(self, batch: Sequence[_Call]) -> list[int]:
        """How many events of each call are new."""
        # The first who brings an event in a batch is the one for whom it is new.
        owners: dict[str, _Call] = {}
        events: dict[str, UsageEvent] = {}
        for call in batch:
            for event in call.events:
                owners.setdefault(event.event_id, call)
                events.setdefault(event.event_id, event)
        with self._database.begin() as session:
            new = queries.insert(session, events)
        metrics.USAGE_RECORDED.inc(len(new))
        counts = Counter(owners[event_id].stored for event_id in new)
        return [counts[call.stored] for call in batch]


def _fail(batch: Sequence[_Call], error: Exception) -> None:
    for call in batch:
        call.stored.set_exception(error)
