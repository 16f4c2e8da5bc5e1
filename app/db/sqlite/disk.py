"""Keeps a reserve of disk space, so that SQLite can always end what it has begun."""

import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from app.db.errors import DiskFull
from app.db.sqlite import files

LOOK_EVERY_S = 1.0


def require(file: Path | None, reserve_mb: int) -> None:
    """Raises DiskFull when the file's disk has less than the reserve free."""
    if file is not None:
        _require(file, files.free_mb(file.parent), reserve_mb)


class Reserve:
    """Lets no transaction begin to write while less than the reserve is free.

    A transaction with the execution option `frees_space` may: what it deletes is used again.
    """

    def __init__(self, file: Path, reserve_mb: int) -> None:
        self._file = file
        self._reserve_mb = reserve_mb
        self._free_mb = reserve_mb
        self._look_at = 0.0

    def require(self, connection: Connection) -> None:
        """Raises DiskFull."""
        options = connection.get_execution_options()
        if options.get("read_only") or options.get("frees_space"):
            return
        # Several threads may look at once, which does no harm.
        if time.monotonic() >= self._look_at:
            # Where the folder is gone, what SQLite says is clearer.
            with suppress(OSError):
                self._free_mb = files.free_mb(self._file.parent)
            self._look_at = time.monotonic() + LOOK_EVERY_S
        _require(self._file, self._free_mb, self._reserve_mb)


def _require(file: Path, free_mb: int, reserve_mb: int) -> None:
    if free_mb < reserve_mb:
        raise DiskFull(
            f"nothing can be saved: the disk of {file.parent} has {free_mb} MB free, and "
            f"DISK_RESERVE_MB keeps {reserve_mb}; free some space there, or lower DISK_RESERVE_MB"
        )
