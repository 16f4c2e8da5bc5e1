"""Questions whose answers are kept for some seconds, so that it costs the same however many ask."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from app.errors import AppError

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


class Source(Generic[Answer]):
    """
    Args:
        name: for the log.
        ask: finds the answer out; an AppError means that there is none now.
        kept_s: how old an answer may be.
    """

    def __init__(self, name: str, ask: Callable[[], Answer], kept_s: float) -> None:
        self.name = name
        self._ask = ask
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._answer: tuple[float, Answer] | None = None
        self._asking: threading.Thread | None = None

    def answer(self, patience_s: float) -> Answer | None:
        """None when there is none within the time; nobody who asks waits longer for what hangs."""
        found = self._fresh()
        if found is None:
            self._begin().join(patience_s)
            found = self._fresh()
        return None if found is None else found[1]

    def _fresh(self) -> tuple[float, Answer] | None:
        with self._lock:
            found = self._answer
        return found if found and time.monotonic() - found[0] < self._kept_s else None

    def _begin(self) -> threading.Thread:
        """The thread that asks. One at a time, and the end of the process waits for none."""
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = threading.Thread(target=self._find_out, name=self.name, daemon=True)
                self._asking.start()
            return self._asking

    def _find_out(self) -> None:
        try:
            answer = self._ask()
        except AppError as error:
            log.warning("no answer", source=self.name, reason=error.detail)
            return
        with self._lock:
            self._answer = (time.monotonic(), answer)
