"""How long one goes on asking a server that fails for a moment."""

import math
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime

import tenacity

from app import clock

LONGEST_RETRY_AFTER_S = 3_600


class Passing(Exception):
    """It may work later."""

    def __init__(self, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Failed(Passing):
    """The server fails, or can't be reached."""


class Busy(Passing):
    """The server is there, and wants fewer requests."""


@dataclass(frozen=True)
class Patience:
    attempts: int
    longest_wait_s: float

    def retrying(self) -> tenacity.Retrying:
        """Tries again after what is `Passing`, no sooner than the server asks for."""
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Passing),
            stop=self._is_over,
            wait=self._wait_s,
            reraise=True,
        )

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= self.attempts or _asked_s(state) > self.longest_wait_s

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        # With jitter: those who failed together shall not come back together.
        backoff = tenacity.wait_random_exponential(multiplier=0.5, max=self.longest_wait_s)
        return max(_asked_s(state), backoff(state))


# Somebody waits for the answer.
INTERACTIVE = Patience(attempts=2, longest_wait_s=1.0)
# Nobody does, and a job that fails is done again from its beginning.
BACKGROUND = Patience(attempts=4, longest_wait_s=20.0)


def _asked_s(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return float(error.retry_after or 0) if isinstance(error, Passing) else 0.0


def retry_after(value: str | None) -> int | None:
    """The seconds that a field `Retry-After` says, whether as a number or as a time."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip()[:1].isdigit() else _until(value)
    except (ValueError, OverflowError):
        return None
    return math.ceil(min(max(seconds, 0), LONGEST_RETRY_AFTER_S))


def _until(value: str) -> float:
    moment = parsedate_to_datetime(value)
    return (moment - clock.now()) / timedelta(seconds=1)
