"""How many threads make sense on this machine, and whether its processor can do the work."""

import math
import os
from pathlib import Path

MOST_THREADS = 4
QUOTA = Path("/sys/fs/cgroup/cpu.max")
PROCESSOR = Path("/proc/cpuinfo")


def usable(quota: Path = QUOTA) -> int:
    """The cores that this process may use, those of a container with a limit included."""
    cores = len(os.sched_getaffinity(0))
    try:
        most, period = quota.read_text().split()
        limit = math.ceil(int(most) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        # No such file outside of Linux's second version of control groups; "max" is no limit.
        return cores
    return max(1, min(cores, limit))


def has_avx2(processor: Path = PROCESSOR) -> bool:
    """Whether the processor has AVX2; yes where it can't be told."""
    try:
        flags = processor.read_text().partition("\nflags")[2].partition("\n")[0].split()
    except OSError:
        return True
    return not flags or "avx2" in flags
