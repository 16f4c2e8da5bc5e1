"""Private copies of an old SQLite file, which any number of processes may read."""

import os
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from app.db.sqlite import files
from app.ops.migrate.source import Source, SourceUnusable, opened


@dataclass(frozen=True)
class Snapshot:
    """A private copy of a source: its file, how large it is, and how long it took."""

    file: Path
    bytes: int
    seconds: float


def snapshot(path: Path, folder: Path) -> Snapshot:
    """Copies a file's present state into a folder, for any number of processes to read.

    Raises:
        SourceUnusable: as `opened`, or there is no room for the copy.
    """
    with opened(path) as source:
        return copy(source, folder)


def copy(source: Source, folder: Path, name: str | None = None) -> Snapshot:
    """Copies the very state that an open source sees. The copy is the caller's to remove.

    Args:
        source: what is copied.
        folder: where to.
        name: of the copy, which takes the place of what has it; None for a new one.

    Raises:
        SourceUnusable: the folder can't be written, or has no room.
    """
    began = time.monotonic()
    target = _new_file(source, folder, name)
    try:
        with files.connected(target, "rw") as connection:
            connection.execute("PRAGMA synchronous=OFF")
            source.connection.backup(connection)
            # Without a -wal and -shm of its own, whoever reads the copy writes nothing.
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        remove(target)
        raise SourceUnusable(f"can't copy {source.file} into {folder} ({error})") from error
    except BaseException:
        remove(target)
        raise
    return Snapshot(target, files.size(target), time.monotonic() - began)


def remove(file: Path) -> None:
    """Deletes a copy, or what is left of one that was never finished."""
    for ending in ("", "-journal", "-wal", "-shm"):
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


def _new_file(source: Source, folder: Path, name: str | None) -> Path:
    pages, size = (
        source.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "page_size")
    )
    needed = pages * size // files.MB + 1
    try:
        if name:
            remove(folder / name)
        free = files.free_mb(folder)
        if free < needed:
            raise SourceUnusable(
                f"a copy of {source.file} needs {needed} MB, and {folder} has {free} MB"
            )
        # Only its owner may read it.
        if name:
            made = str(folder / name)
            descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        else:
            descriptor, made = tempfile.mkstemp(".db", "snapshot-", folder)
    except OSError as error:
        raise SourceUnusable(f"can't write in {folder} ({error.strerror})") from error
    os.close(descriptor)
    return Path(made).resolve()
