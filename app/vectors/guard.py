"""Keeps a Qdrant that stands still from holding every thread that serves requests."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from app.breaker import Breaker, Resting
from app.vectors.client import QdrantUnavailable

# A search takes some hundredths of a second: who waits for longer meets one that stands still.
WAIT_S = 0.5
# It is a neighbour, and comes back as soon as it is started again.
REST_S = 5.0


class Guard:
    """Lets so many threads ask at once as it has places, and none while Qdrant keeps failing."""

    def __init__(self, places: int) -> None:
        self._places = BoundedSemaphore(places)
        self._breaker = Breaker(QdrantUnavailable, rest_s=REST_S)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Goes around a call. Raises QdrantUnavailable instead of making it."""
        if not self._places.acquire(timeout=WAIT_S):
            raise QdrantUnavailable
        try:
            with self._breaker.guarding():
                yield
        except Resting as error:
            raise QdrantUnavailable(retry_after=math.ceil(error.seconds)) from error
        finally:
            self._places.release()
