"""Entries with fields of their own in systemd's journal, by its native protocol."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
ERROR = 3


def write(message: str, priority: int, **fields: str) -> bool:
    """Returns whether there is a journal that took it."""
    entry = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "mindgraph"}
    datagram = b"".join(_field(name, value) for name, value in {**entry, **fields}.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        try:
            journal.sendto(datagram, str(SOCKET))
        except OSError:
            return False
    return True


def _field(name: str, value: str) -> bytes:
    # With its length before it, so that it may have several lines.
    content = value.encode("utf-8", "replace")
    return name.encode() + b"\n" + struct.pack("<Q", len(content)) + content + b"\n"
