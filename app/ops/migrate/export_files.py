"""A new SQLite file that gets its name only when it is whole and on the disk."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.db import locks
from app.db.sqlite import files
from app.errors import Conflict

# The folder beside the file in which it is made, with all that SQLite and `init_db` put beside it.
PARTIAL = ".partial"
NAME = "mindgraph.db"
# The file is thrown away when anything goes wrong, so that nothing has to be undone in it.
PRAGMAS = (
    "journal_mode=OFF",
    "synchronous=OFF",
    "locking_mode=EXCLUSIVE",
    "foreign_keys=OFF",
    # Rows of old files that break a rule are kept with their tables.
    "ignore_check_constraints=ON",
    "cache_size=-16384",
    "temp_store=FILE",
)


class FileTaken(Conflict):
    """The file is there already."""


class FolderUnwritable(Conflict):
    """The folder of the file can't be written."""


@contextmanager
def making(file: Path) -> Iterator[Path]:
    """A folder for the block, in which it makes `NAME`; then that is `file`.

    A kill leaves the folder, which the next run removes, and never `file`. Only its owner may read
    the file: hashes of passwords are in it.

    Raises:
        FileTaken: `file` is there, or a journal that SQLite would take for its, or another
            process makes it.
        FolderUnwritable: it can't be made there.
    """
    _require_free(file)
    folder = file.absolute().with_name(f"{file.name}{PARTIAL}")
    with _locked(folder):
        try:
            yield folder
            _require_free(file)
            _publish(folder / NAME, file)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes to a file that nobody else uses; one transaction for the block."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        # SQLite leaves WAL mode only for this.
        connection.execute("PRAGMA journal_mode=DELETE")
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN EXCLUSIVE")
        yield connection
        connection.execute("COMMIT")


def _require_free(file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise FileTaken(f"{file} is there already; name a new file, or move it away")
    for journal in (files.journal(file), file.with_name(f"{file.name}-journal")):
        # SQLite would write what is in it into the new file.
        if journal.exists():
            raise FileTaken(f"{journal} belongs to another database; move it away")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Makes the folder anew, for this process alone."""
    with _writable(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not locks.try_flock(descriptor) or not _is_still(folder, descriptor):
            raise FileTaken(f"another export is making this file, in {folder}")
        with _writable(folder):
            for left in folder.iterdir():
                left.unlink()
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderUnwritable(f"can't write {path} ({error.strerror})") from error


def _is_still(folder: Path, descriptor: int) -> bool:
    """Whether the folder wasn't removed by the one who had it until now."""
    return folder.exists() and os.path.samestat(folder.stat(), os.fstat(descriptor))


def _publish(made: Path, file: Path) -> None:
    with _writable(file):
        made.chmod(0o600)
        _flush(made)
        made.rename(file)
        _flush(file.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
