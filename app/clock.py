import time
from datetime import UTC, datetime

# Runs on evenly whatever becomes of the wall clock, on Linux also while the machine sleeps.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_STARTED_S = time.time() - time.clock_gettime(_STEADY)


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def jumped_s() -> float:
    """How far the clock was set forward, or back, since this process started; in seconds."""
    return time.time() - time.clock_gettime(_STEADY) - _STARTED_S
