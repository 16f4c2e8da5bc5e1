"""An old SQLite database's file: opened for reading, and never changed.

Nothing in here opens the file by Python's own means while SQLite may have it open: closing it would
free the locks that SQLite holds on it in the same process.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.db.sqlite import files, meanings
from app.errors import InvalidInput

# A program with the old kind of journal keeps readers out while it commits.
PATIENCE_S = 10.0
# Rows that later constraints forbid, and what can't be told; neither is damage to the file.
OF_ROWS = re.compile(
    r"(NULL|TEXT|NUMERIC|non-\w+) value in |CHECK constraint failed in |unable to validate "
)
HEADING = "*** in database"
# SQLite's own limit of 100 lines could be used up by rows before the damage is told.
EVERY_LINE = 2_000_000_000
# What a file of a few pages has, when it isn't text: more kinds of bytes only look random.
RANDOM_BYTES = 200


class SourceUnusable(InvalidInput):
    """The SQLite file can't be read."""


class SourceDamaged(SourceUnusable):
    """The SQLite file is damaged."""


class InvalidText(bytes):
    """What a TEXT value holds when it is no valid UTF-8, byte for byte."""


@dataclass(frozen=True)
class Source:
    """A file, and a connection that sees one state of it for as long as it is open."""

    file: Path
    connection: sqlite3.Connection


@contextmanager
def opened(path: Path, *, checked: bool = False) -> Iterator[Source]:
    """One consistent state of a file that may be in use; TEXT is `str` or `InvalidText`.

    In a UTF-16 file read TEXT by `decoded`. A file that was `checked` isn't checked again.

    A file in WAL mode is written to by others meanwhile as ever, only their checkpoints wait. One
    with the old kind of journal can't be committed to until the block ends; a snapshot is sooner
    done. Beside a file in WAL mode SQLite makes the -shm and an empty -wal where there are none.

    Raises:
        SourceDamaged: SQLite's quick_check found damage.
        SourceUnusable: the message says why, and what helps.
    """
    file = _require_file(path)
    try:
        connection = _connect(file)
    except sqlite3.Error as error:
        raise _explain(file, error) from error
    with closing(connection):
        if not checked:
            _require_undamaged(file, connection)
        yield Source(file, connection)


def fingerprint(path: Path) -> str:
    """Changes when somebody writes to the file, and with nothing else.

    By its size and time and those of its journal; the file isn't read. An empty journal is none:
    SQLite makes one beside a file that it only reads.
    """
    found = []
    for one in (path.resolve(), files.journal(path.resolve())):
        status = one.stat() if one.exists() else None
        if status and status.st_size:
            found.append(f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}")
    return " ".join(found)


def text(raw: bytes) -> str | InvalidText:
    """For `text_factory`: what can't be decoded stays as it is."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return InvalidText(raw)


def decoded(raw: bytes, encoding: str) -> str | InvalidText:
    """What `CAST(value AS BLOB)` gives of a TEXT value, by the file's encoding.

    Where SQLite makes UTF-8 of broken UTF-16, it joins half a surrogate pair with the next
    character, and nobody would see it. In a UTF-16 file only this way is exact.
    """
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return InvalidText(raw)


def _require_file(path: Path) -> Path:
    try:
        # SQLite puts the journal beside the file itself, not beside a link to it.
        file = path.resolve()
        if not file.exists():
            raise SourceUnusable(f"there is no file {path}")
    except (OSError, RuntimeError) as error:
        raise SourceUnusable(f"{path} can't be read ({error})") from error
    if file.is_dir():
        raise SourceUnusable(f"{path} is a folder; name the SQLite file in it")
    if not file.is_file():
        raise SourceUnusable(f"{path} is no regular file")
    for one in (file, files.journal(file)):
        if one.exists() and not os.access(one, os.R_OK, effective_ids=True):
            raise SourceUnusable(f"{one} can't be read (permission denied)")
    if not files.size(file):
        raise SourceUnusable(f"{path} is empty (0 bytes)")
    return file


def _connect(file: Path) -> sqlite3.Connection:
    if _shared_index(file).is_file():
        try:
            # Otherwise SQLite notes in the -shm what it reads.
            return _begin(file, "mode=ro&readonly_shm=1")
        except sqlite3.OperationalError as error:
            if meanings.code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
                raise
    return _begin(file, "mode=ro")


def _begin(file: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.as_uri()}?{options}", uri=True, isolation_level=None, timeout=PATIENCE_S
    )
    try:
        connection.text_factory = text
        # The file is somebody else's: its views and triggers call nothing that has side effects.
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("BEGIN")
        # The transaction sees the state of its first statement.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _require_undamaged(file: Path, connection: sqlite3.Connection) -> None:
    try:
        for (said,) in connection.execute(f"PRAGMA quick_check({EVERY_LINE})"):
            for line in str(said).split("\n"):
                if line != "ok" and not line.startswith(HEADING) and not OF_ROWS.match(line):
                    raise _damaged(file, line)
    except sqlite3.Error as error:
        raise _explain(file, error) from error


def _explain(file: Path, error: sqlite3.Error) -> SourceUnusable:
    code = meanings.code(error)
    if code == sqlite3.SQLITE_NOTADB:
        return _no_database(file)
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(file, str(error))
    if code in meanings.BUSY:
        return SourceUnusable(
            f"{file} is locked by another program ({error}); stop it, or try again"
        )
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return SourceUnusable(
            f"{file} holds a change that was interrupted, and undoing it would write to the file: "
            f"copy it together with its -journal, open the copy once with "
            f"`sqlite3 COPY 'PRAGMA quick_check'`, and use that"
        )
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
        return SourceUnusable(
            f"{file} is in WAL mode, and SQLite can't make or use {_shared_index(file)} ({error}): "
            f"let this user write in {file.parent}, or copy the file together with its -wal to "
            f"another folder, and use that"
        )
    return SourceUnusable(f"{file} can't be read ({error})")


def _no_database(file: Path) -> SourceUnusable:
    # SQLite could make nothing of it, and so holds no locks that closing could free.
    with file.open("rb") as raw:
        begin = raw.read(4096)
    if begin.startswith(b"SQLite format 3\0"):
        return _damaged(file, "its first page makes no sense")
    if len(set(begin)) > RANDOM_BYTES and files.size(file) % 512 == 0:
        return SourceUnusable(
            f"{file} is no SQLite database, or it is encrypted: decrypt it with the program that "
            f"has its key, and use that"
        )
    return SourceUnusable(f"{file} is no SQLite database")


def _damaged(file: Path, problem: str) -> SourceDamaged:
    return SourceDamaged(
        f"{file} is damaged: {problem}. Nothing was changed: use a backup of it, or what "
        f"`sqlite3 FILE .recover` saves"
    )


def _shared_index(file: Path) -> Path:
    return file.with_name(f"{file.name}-shm")
