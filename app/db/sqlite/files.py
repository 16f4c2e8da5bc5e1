"""The files of an embedded database.

Nothing in here opens the database file by Python's own means while it may be in use: closing it
would free the locks that SQLite holds on it in the same process.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import URL

MB = 1024 * 1024


def of(target: URL) -> Path | None:
    """The database's file; None for one in memory."""
    if not target.database or target.database == ":memory:":
        return None
    # SQLite puts the journal beside the file itself, not beside a link to it.
    return Path(target.database).resolve()


def journal(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def size(file: Path) -> int:
    """In bytes; 0 for a file that isn't there."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def free_mb(folder: Path) -> int:
    """What an ordinary user may still write to the disk that the folder is on."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize // MB


@contextmanager
def connected(
    file: Path, mode: Literal["ro", "rw"], *, patience_s: float = 0.0
) -> Iterator[sqlite3.Connection]:
    """A connection without the settings of the service's, which never makes a file.

    The last one that closes folds the journal into the file, unless it was for reading.
    """
    target = f"{file.as_uri()}?mode={mode}"
    with closing(
        sqlite3.connect(target, uri=True, isolation_level=None, timeout=patience_s)
    ) as connection:
        yield connection
