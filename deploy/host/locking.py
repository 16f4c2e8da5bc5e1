"""One operation on a stack at a time, and what the one before left when it was killed."""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, Mapping

from host.errors import HostError
from host.stack import Stack

# What the journal may say: who works.
PROCESS = "process"
# How long the last command of one that was killed may take to end.
ENDS_S = 240.0


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


def peek(stack: Stack) -> dict[str, str]:
    """What the journal says, whoever is at work."""
    try:
        handle = os.open(lock_of(stack), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    try:
        return Journal(handle).read()
    finally:
        os.close(handle)


@contextmanager
def one_at_a_time(stack: Stack) -> Iterator[Journal]:
    """Raises Busy at once when another one is at work."""
    path = lock_of(stack)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, stack)
        stack.lock = handle
        yield Journal(handle)
    finally:
        stack.lock = None
        os.close(handle)


def _take(handle: int, stack: Stack) -> None:
    deadline = time.monotonic() + ENDS_S
    while not _is_free(handle):
        # What a killed one has started ends by itself, and goes on changing the stack until then.
        if not _is_killed(Journal(handle).read()) or time.monotonic() > deadline:
            raise Busy(
                "another backup, restore, rehearsal or upgrade of this stack is running; "
                "wait for its end"
            )
        time.sleep(1)
    if os.geteuid() == 0:
        # Who owns the env file is to work on the stack as well; some disks know no owners.
        owner = stack.env_file.stat()
        with suppress(OSError):
            os.fchown(handle, owner.st_uid, owner.st_gid)


def _is_free(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_killed(notes: Mapping[str, str]) -> bool:
    process = notes.get(PROCESS)
    return bool(process) and not Path(f"/proc/{process}").exists()


def lock_of(stack: Stack) -> Path:
    return stack.env_file.with_name(f"{stack.env_file.name}.lock")
