"""The progress of a document as server-sent events."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

from anyio import to_thread

from app.errors import AppError
from app.knowledge import states
from app.knowledge.errors import TooManyWatchers
from app.knowledge.schemas import DocumentOut

LOOK_EVERY_S = 0.5
# A proxy closes what is silent for longer.
SIGN_OF_LIFE_S = 15.0
LONGEST_S = 60.0
MOST_WATCHERS = 200


class Watchers:
    """How many streams of this process are open."""

    def __init__(self, most: int = MOST_WATCHERS) -> None:
        self._places = threading.BoundedSemaphore(most)

    def enter(self) -> None:
        """Raises TooManyWatchers."""
        if not self._places.acquire(blocking=False):
            raise TooManyWatchers

    def leave(self) -> None:
        self._places.release()


def stream(
    look: Callable[[], DocumentOut], watchers: Watchers, stopping: threading.Event
) -> AsyncIterator[str]:
    """Events for one client.

    Args:
        look: reads the document; called in a thread.
        watchers: counts the stream; who has closed it calls `leave`.
        stopping: ends it.

    Raises:
        TooManyWatchers, DocumentNotFound: before anything is sent.
    """
    first = look()
    watchers.enter()
    return _events(first, look, stopping)


async def _events(
    first: DocumentOut,
    look: Callable[[], DocumentOut],
    stopping: threading.Event,
) -> AsyncIterator[str]:
    try:
        start = said = time.monotonic()
        shown: DocumentOut | None = None
        found = first
        while True:
            if found != shown:
                said = time.monotonic()
                shown = found
                yield f"event: document\ndata: {found.model_dump_json()}\n\n"
            elif time.monotonic() - said > SIGN_OF_LIFE_S:
                said = time.monotonic()
                yield ": still here\n\n"
            if _is_over(found) or stopping.is_set() or time.monotonic() - start > LONGEST_S:
                return
            await asyncio.sleep(LOOK_EVERY_S)
            found = await to_thread.run_sync(look)
    except AppError as error:
        # Deleted, or the database is away: the client asks again, and is told.
        yield f"event: error\ndata: {error.code}\n\n"


def _is_over(document: DocumentOut) -> bool:
    return document.newest.state not in states.UNFINISHED
