"""Who listens on the ports that the stack publishes."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from host.checks.finding import Finding, failure, ok

LISTENS = "0A"
NAMES = {"APP_PORT": "port-app", "HTTP_PORT": "port-http", "HTTPS_PORT": "port-https"}
SETTINGS = {"8000": "APP_PORT", "8080": "HTTP_PORT", "8443": "HTTPS_PORT"}


class Published(NamedTuple):
    service: str
    address: str
    port: int
    setting: str


def published(config: Mapping[str, Any]) -> list[Published]:
    """What the stack publishes, as Compose reads it."""
    found = []
    for service, of in config.get("services", {}).items():
        for port in of.get("ports", []):
            setting = SETTINGS.get(str(port.get("target")), "its port")
            number = int(str(port.get("published") or 0).split("-")[0])
            address = port.get("host_ip") or "0.0.0.0"  # noqa: S104
            found.append(Published(service, address, number, setting))
    return found


def examine(root: Path, wanted: Sequence[Published], running: Sequence[str]) -> list[Finding]:
    """
    Args:
        root: has `proc`.
        wanted: what the stack publishes.
        running: its services that run, whose ports are theirs.
    """
    return [_examine(root, one, one.service in running) for one in wanted]


def _examine(root: Path, one: Published, is_running: bool) -> Finding:
    check = NAMES.get(one.setting, f"port-{one.service}")
    place = f"{one.address}:{one.port}"
    if is_running:
        return ok(check, f"{place} is held by {one.service} of this stack")
    taken = list(listening(root, one.port))
    if not taken:
        return ok(check, f"{place} is free for {one.service}")
    who = holder(root, taken[0]) or "another program (as root more can be seen)"
    return failure(
        check,
        f"{place} is held by {who}",
        f"stop that program, or set another {one.setting} in .env",
    )


def listening(root: Path, port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on it, on any address."""
    for name in ("tcp", "tcp6"):
        file = root / "proc/net" / name
        if not file.exists():
            continue
        for line in file.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def holder(root: Path, inode: str) -> str:
    """Name and pid of a process that has the socket; nothing where this user may not see it."""
    for process in (root / "proc").iterdir():
        if process.name.isdigit() and inode in _sockets(process / "fd"):
            name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            return f"{name} (pid {process.name})"
    return ""


def _sockets(folder: Path) -> set[str]:
    found = set()
    # It is another one's, or it has ended meanwhile.
    with contextlib.suppress(OSError):
        for one in folder.iterdir():
            with contextlib.suppress(OSError):
                match = re.match(r"socket:\[(\d+)\]", os.readlink(one))  # noqa: PTH115
                found |= {match[1]} if match else set()
    return found
