"""One operation on a stack at a time, and what the one before left when it was killed."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from host.errors import HostError
from host.stack import Stack


class Busy(HostError):
    """Another operation on the stack is at work."""


class Journal:
    """What an operation has begun and not yet ended: its notes outlive it when it is killed."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def read(self) -> dict[str, str]:
        """Empty when nothing was left."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        text = os.read(self._handle, 65_536).decode(errors="replace")
        try:
            notes: dict[str, str] = json.loads(text)
        except ValueError:
            return {}
        return notes

    def note(self, **notes: str) -> None:
        """Returns when they are on the disk."""
        text = json.dumps({**self.read(), **notes}).encode()
        os.pwrite(self._handle, text, 0)
        os.ftruncate(self._handle, len(text))
        os.fsync(self._handle)

    def clear(self) -> None:
        os.ftruncate(self._handle, 0)
        os.fsync(self._handle)


@contextmanager
def one_at_a_time(stack: Stack) -> Iterator[Journal]:
    """Raises Busy at once when another one is at work."""
    path = lock_of(stack)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(
                "another backup, restore or rehearsal of this stack is running; wait for its end"
            ) from error
        yield Journal(handle)
    finally:
        os.close(handle)


def lock_of(stack: Stack) -> Path:
    return stack.env_file.with_name(f"{stack.env_file.name}.lock")
