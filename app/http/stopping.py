"""Tells responses that go on for long that the server is asked to stop: it waits for them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def noticed() -> Iterator[threading.Event]:
    """An event that is set when one of the signals comes with which a server is stopped.

    What the server itself does with the signal is done as well. Outside of the main thread no
    signal comes, and the event is never set.
    """
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: FrameType | None) -> Any:
        stopping.set()
        handler = before[signal.Signals(number)]
        return handler(number, frame) if callable(handler) else None

    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, note)
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
