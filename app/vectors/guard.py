"""Keeps a Qdrant that stands still from holding every thread that serves requests."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from app.breaker import Breaker, Resting
from app.errors import Unavailable
from app.vectors.client import QdrantUnavailable

# A search takes some hundredths of a second: who waits for longer meets one that stands still.
WAIT_S = 0.5
# It is a neighbour, and comes back as soon as it is started again.
REST_S = 5.0


class QdrantBusy(Unavailable):
    """Too many wait for Qdrant at this moment; try again shortly."""


class Guard:
    """Lets so many threads ask at once as it has places, and none while Qdrant keeps failing."""

    def __init__(self, places: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = BoundedSemaphore(places)
        self._breaker = Breaker(QdrantUnavailable, clock, rest_s=REST_S)

    def check(self) -> None:
        """Raises QdrantUnavailable when a call wouldn't be made now."""
        with _told():
            self._breaker.check()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Goes around a call. Raises QdrantUnavailable or QdrantBusy instead of making it."""
        # In this order: nobody waits for a place while it isn't asked.
        with _told(), self._breaker.guarding(), self._place():
            yield

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=WAIT_S):
            raise QdrantBusy
        try:
            yield
        finally:
            self._places.release()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Resting as error:
        raise QdrantUnavailable(retry_after=math.ceil(error.seconds)) from error
