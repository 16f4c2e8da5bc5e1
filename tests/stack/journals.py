"""The journal that the engine writes to where LOGGING_DRIVER=journald says so.

The engine looks for it on its own machine. Where none runs there, as on one without systemd, that
of a machine of the tests takes its place.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .machines import Machine

OUTSIDE = Path("/run/systemd/journal/socket")
RELAY = """
import os, socket
source = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
source.bind("/host/journal/socket")
os.chmod("/host/journal/socket", 0o666)
target = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
target.connect("/run/systemd/journal/socket")
while True:
    target.send(source.recv(1 << 20))
"""


class Journal:
    """`machine` is None where the engine's own machine has one."""

    def __init__(self, machine: Machine | None) -> None:
        self.machine = machine

    def read(self, *match: str) -> list[dict[str, Any]]:
        if self.machine:
            return self.machine.journal(*match)
        command = ["journalctl", "--quiet", "--output", "json", *match]
        done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
        return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def of_engine(machine: Machine) -> Iterator[Journal]:
    """One is there for the block; `machine` runs."""
    if listens():
        yield Journal(None)
        return
    # One that a killed run has left.
    machine.shell("rm -f /host/journal/socket")
    machine.write("/usr/local/lib/relay.py", RELAY)
    machine.shell("systemd-run --quiet --unit relay python3 /usr/local/lib/relay.py")
    machine.wait(listens, "the relay listens")
    try:
        yield Journal(machine)
    finally:
        machine.shell("systemctl stop relay; rm -f /host/journal/socket")


def listens() -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(OUTSIDE))
        except OSError:
            return False
    return True
