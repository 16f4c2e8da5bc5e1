"""What a process takes from itself before it reads a stranger's file."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from app.knowledge.extraction.limits import Limits

MB = 1024 * 1024
PAGE = resource.getpagesize()
OPEN_FILES = 64
NICENESS = 10
# prctl(2)
PR_SET_PDEATHSIG = 1
# After the parent should have ended it.
LATE_S = 10


def confine(parent: int, limits: Limits) -> None:
    """
    Args:
        parent: the process with which this one dies.
    """
    _die_with(parent)
    # Even where a limit of the processor's time doesn't reach, as in a wait.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limits.seconds + LATE_S)
    os.nice(NICENESS)
    _offer_to_oom_killer()
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    limit_memory(limits.memory_mb)


def limit_memory(megabytes: int) -> None:
    """Allows so much on top of what the process has now."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = _size() + megabytes * MB
    if hard != resource.RLIM_INFINITY:
        allowed = min(allowed, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before.
    if os.getppid() != parent:
        sys.exit("the process that wants the result is gone")


def _offer_to_oom_killer() -> None:
    # When the machine has no memory left, this process goes and not the one that waits for it.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _size() -> int:
    """Bytes of the address space of this process."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
    except OSError:
        return 0
