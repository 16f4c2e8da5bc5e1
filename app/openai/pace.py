"""Keeps requests at least so far apart that a server's limit isn't reached."""

import time
from collections.abc import Callable
from threading import Lock


class Pace:
    """Gives out turns in the order in which they are asked for, to any number of threads."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            per_minute: requests; None is no limit.
            clock: seconds.
        """
        self._apart_s = 60 / per_minute if per_minute else 0.0
        self._clock = clock
        self._lock = Lock()
        self._next = 0.0

    def take(self, longest_s: float) -> tuple[float, bool]:
        """Takes the next turn, unless it is further away than `longest_s`.

        Returns:
            The seconds until it, and whether it was taken.
        """
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            taken = turn - now <= longest_s
            if taken:
                self._next = turn + self._apart_s
            return turn - now, taken
