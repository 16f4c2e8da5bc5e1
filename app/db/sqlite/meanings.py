"""What the driver's errors mean."""

import sqlite3

from app.db.errors import DatabaseBusy, DatabaseDamaged, DatabaseUnavailable, DiskFull
from app.errors import AppError

BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_error(error: BaseException | None) -> bool:
    """Whether SQLite raised it."""
    return isinstance(error, sqlite3.Error)


def meaning(error: BaseException | None) -> AppError | None:
    """What a client should be told instead of this error; None for a bug in a statement."""
    found = code(error)
    if found in BUSY:
        return DatabaseBusy("others are writing to the database; try again shortly")
    if found in DAMAGED:
        return DatabaseDamaged()
    if found == sqlite3.SQLITE_FULL:
        return DiskFull()
    # A wrong statement comes as the same class as a file that can't be read.
    if isinstance(error, sqlite3.OperationalError) and found != sqlite3.SQLITE_ERROR:
        return DatabaseUnavailable()
    return None


def code(error: BaseException | None) -> int:
    """SQLite's primary result code. The driver's own errors have none and are mistakes."""
    found: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return found & 0xFF
