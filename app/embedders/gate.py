"""Keeps a slow model from holding every thread that serves requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from app.embedders.errors import ModelBusy


class Gate:
    """Lets so many threads in as it has places. Others are told at once to come again."""

    def __init__(self, places: int) -> None:
        self._places = BoundedSemaphore(places)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Raises ModelBusy when all places are taken."""
        if not self._places.acquire(blocking=False):
            raise ModelBusy
        try:
            yield
        finally:
            self._places.release()
