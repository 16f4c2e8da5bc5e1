"""Threads for what the server does side by side."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """What has not begun when the block fails is not done any more."""
    with ThreadPoolExecutor(count) as made:
        try:
            yield made
        except BaseException:
            made.shutdown(wait=False, cancel_futures=True)
            raise
