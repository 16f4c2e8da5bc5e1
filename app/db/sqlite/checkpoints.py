"""Folds the write-ahead log into the database file now and then: one process does it for all."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

import structlog

from app import clock
from app.db import locks
from app.db.sqlite import files

log = structlog.get_logger(__name__)

# A longer journal is slow to read and never gets shorter by itself.
TRUNCATE_ABOVE_MB = 64
RETRY_S = 5.0
# While it waits for readers to end, writers wait for it.
TRUNCATE_PATIENCE_S = 1.0


@contextmanager
def scheduled(file: Path | None, every_s: float) -> Iterator[None]:
    """Makes checkpoints in a thread for the block, or stands by until whoever does has ended.

    Args:
        file: the database's, resolved; None for no embedded database, and then nothing is done.
        every_s: seconds between two checkpoints.
    """
    if file is None:
        yield
        return
    stop = threading.Event()
    with _lock_file(file).open("ab") as lock:
        thread = threading.Thread(
            target=_work, args=(file, lock, every_s, stop), name="checkpoints"
        )
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def are_made(file: Path) -> bool:
    """Whether a process makes them now, and so is using the file."""
    try:
        with _lock_file(file).open("rb") as lock:
            return not locks.try_flock(lock.fileno())
    except FileNotFoundError:
        return False


def last(file: Path) -> datetime | None:
    """When the last one was made."""
    try:
        written = _lock_file(file).read_text()
    except FileNotFoundError:
        return None
    return datetime.fromisoformat(written) if written else None


def make(file: Path) -> bool:
    """Makes one; whether it was made. The log tells when not.

    A passive one stops where a reader or writer is at work and disturbs nobody. One that empties
    the journal has to wait until nobody reads old pages.
    """
    mode: Literal["PASSIVE", "TRUNCATE"] = "PASSIVE"
    if files.size(files.journal(file)) > TRUNCATE_ABOVE_MB * files.MB:
        mode = "TRUNCATE"
    try:
        with files.connected(file, "rw", patience_s=TRUNCATE_PATIENCE_S) as connection:
            blocked, pages, folded = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.Error as error:
        log.warning("no checkpoint could be made", mode=mode, reason=str(error))
        return False
    if blocked:
        log.warning("a checkpoint was blocked", mode=mode, pages=pages, folded=folded)
        return False
    log.debug("checkpoint", mode=mode, pages=pages, folded=folded)
    return True


def _work(file: Path, lock: BinaryIO, every_s: float, stop: threading.Event) -> None:
    mine = False
    pause_s = every_s
    while True:
        if not mine and locks.try_flock(lock.fileno()):
            mine = True
            log.info("this process makes the checkpoints", every_s=every_s)
        if stop.wait(pause_s):
            return
        if not mine:
            continue
        made = make(file)
        pause_s = every_s if made else min(every_s, RETRY_S)
        if made:
            _lock_file(file).write_text(clock.now().isoformat())


def _lock_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.checkpoint.lock")
