"""What a program takes: seconds, processor time, and memory of it and all that it starts."""

from __future__ import annotations

import resource
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_S = 0.1
# A program that goes on for longer is taken for hung.
PATIENCE_S = 3600.0


class Failed(Exception):
    """A contender ended with an error; the message has the last that it said."""


@dataclass(frozen=True)
class Taken:
    """What a run took; memory is that of the client at its peak, what is shared counted once.

    `others_cpu_s` is what the rest of the machine used meanwhile: much of it spoils the seconds.
    """

    wall_s: float
    client_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    others_cpu_s: float = 0.0
    peak_bytes: int = 0
    output: str = ""


def run(command: list[str], log: Path, environ: dict[str, str] | None = None) -> Taken:
    """Runs it to its end; its output goes to a file, so that nobody waits for a reader."""
    before = _used()
    began = time.monotonic()
    peak = 0
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            while process.poll() is None:
                if time.monotonic() - began > PATIENCE_S:
                    raise Failed(f"{command[0]} did not end in {PATIENCE_S:.0f} s")
                peak = max(peak, memory(process.pid))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLE_S)
        finally:
            process.kill()
    wall = time.monotonic() - began
    output = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        raise Failed(f"{command[0]} ended with {process.returncode}:\n{output[-2000:]}")
    return Taken(wall, _used() - before, peak_bytes=peak, output=output)


def busy_seconds() -> float:
    """Processor time that the whole machine has spent on anything so far."""
    times = psutil.cpu_times()
    # The time of guests is in that of users already.
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _used() -> float:
    """Processor time of all children that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def memory(pid: int) -> int:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return sum(_own_share(one) for one in (root, *root.children(recursive=True)))
    return 0


def _own_share(process: psutil.Process) -> int:
    """Its memory, with each shared page divided by the number of those who share it."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_full_info().pss)
    return 0
