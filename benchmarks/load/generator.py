"""The load generator: wrk, in C, so that it takes little of the cores that it shares."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("replay.lua")
INSTALL = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"]
# An answer that takes longer counts as none.
PATIENCE_S = 30


class GeneratorMissing(Exception):
    """wrk is not installed and can't be; the message says what to do."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def sent(self) -> bytes:
        """As it goes over a connection that is kept."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(frozen=True)
class Load:
    """What came of a load."""

    clients: int
    requests: int
    seconds: float
    # Answers by their status.
    statuses: dict[str, int]
    # By what came instead of an answer: connections refused or broken, and patience at its end.
    unanswered: dict[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    generator_cpu_s: float

    @property
    def per_second(self) -> float:
        """Answers that did what was asked."""
        good = sum(count for status, count in self.statuses.items() if status[0] == "2")
        return good / self.seconds

    @property
    def failed(self) -> dict[str, int]:
        """Answers that did not, by their status."""
        found = {status: n for status, n in self.statuses.items() if status[0] != "2"}
        return found | {why: n for why, n in self.unanswered.items() if n}


def ensure() -> str:
    """Installs wrk where it is missing, and returns its version. Raises GeneratorMissing."""
    if shutil.which("wrk") is None:
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        try:
            subprocess.run([*as_root, *INSTALL], check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise GeneratorMissing(f"install wrk, then again: {' '.join(INSTALL)}") from error
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return said.stdout.split("Copyright")[0].strip()


def run(
    port: int,
    requests: Sequence[Request],
    *,
    clients: int,
    seconds: float,
    pause_ms: float = 0,
) -> Load:
    """Clients that each send the next request when they have the answer to the last, and after a
    pause of random length, `pause_ms` in the mean."""
    with tempfile.NamedTemporaryFile() as file:
        for request in requests:
            sent = request.sent()
            file.write(b"%d\n%s" % (len(sent), sent))
        file.flush()
        command = ["wrk", "--threads=1", f"--connections={clients}"]
        command += [f"--duration={seconds:.0f}s", f"--timeout={PATIENCE_S}s"]
        command += [f"--script={SCRIPT}", f"http://127.0.0.1:{port}", "--", file.name]
        command += [f"{pause_ms:.3f}"]
        before = _children_cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        used = _children_cpu_s() - before
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return Load(clients=clients, generator_cpu_s=used, **said)


def _children_cpu_s() -> float:
    """Of all that have ended: of programs that run at the same time nothing is in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
