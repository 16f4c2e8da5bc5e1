"""Stops calling a server that has failed again and again, so that nobody waits for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

FAILURES = 5
REST_S = 30.0
# While one call finds out whether the server is back.
TRIAL_S = 1.0


class Resting(Exception):
    """The server isn't asked now."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"failed {FAILURES} times in a row; asked again in {seconds:.0f} s")
        self.seconds = seconds


class Breaker:
    """After `FAILURES` in a row every call fails at once for a while; then one is let through.

    Its lock is never held during a call: any number of threads may be within `guarding`.
    """

    def __init__(
        self,
        failure: type[Exception],
        clock: Callable[[], float] = time.monotonic,
        rest_s: float = REST_S,
    ) -> None:
        """
        Args:
            failure: what counts as one. Other exceptions say nothing of the server's state.
            clock: seconds.
            rest_s: how long calls fail at once.
        """
        self._failure = failure
        self._clock = clock
        self._rest_s = rest_s
        self._lock = Lock()
        self._failures = 0
        self._closed_until = 0.0
        self._trying = False

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Goes around a call. Raises Resting instead of making it."""
        trial = self._enter()
        try:
            yield
        except self._failure:
            self._failed()
            raise
        else:
            self._succeeded()
        finally:
            if trial:
                self._trying = False

    def check(self) -> None:
        """Raises Resting when a call wouldn't be made now."""
        with self._lock:
            self._require_awake()

    def _enter(self) -> bool:
        """Whether the call is the one that finds out."""
        with self._lock:
            self._require_awake()
            if self._failures < FAILURES:
                return False
            self._trying = True
            return True

    def _require_awake(self) -> None:
        if self._failures < FAILURES:
            return
        left = self._closed_until - self._clock()
        if left > 0 or self._trying:
            raise Resting(max(left, TRIAL_S))

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._closed_until = self._clock() + self._rest_s

    def _succeeded(self) -> None:
        with self._lock:
            self._failures = 0
