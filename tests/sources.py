"""SQLite files as an old service leaves them, with or without its process."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

# Runs each line as a statement that is committed, and says so. Another process, for whoever reads a
# file in the process that writes it shares its locks.
WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""


def make(file: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return file


def put(file: Path, table: str, *rows: Sequence[Any]) -> None:
    """Adds rows, each with a value for every column."""
    name = table.replace('"', '""')
    with closing(sqlite3.connect(file)) as connection, connection:
        for row in rows:
            marks = ", ".join("?" for _ in row)
            connection.execute(f'INSERT INTO "{name}" VALUES ({marks})', row)


def select(file: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


class Writer:
    """A program that has the file open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdin
        assert process.stdout
        self._to: IO[str] = process.stdin
        self._from: IO[str] = process.stdout

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self._to.write(f"{statement}\n")
            self._to.flush()
            assert self._from.readline() == "done\n"


@contextmanager
def writing(file: Path) -> Iterator[Writer]:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Writer(process)
        finally:
            process.kill()


def killed(file: Path, *statements: str) -> Path:
    """A file in WAL mode whose program was ended without any warning."""
    with writing(file) as writer:
        writer.execute("PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", *statements)
    assert writer.process.returncode == -signal.SIGKILL
    return file


def state(folder: Path) -> dict[str, bytes]:
    """All files, byte for byte, read by a process that holds none of the locks."""
    return {
        one.name: subprocess.check_output(["cat", str(one)])
        for one in sorted(folder.iterdir())
        if one.is_file()
    }


def content(folder: Path) -> dict[str, bytes]:
    """`state` of what holds rows: an empty journal and the shared index of one don't."""
    return {name: raw for name, raw in state(folder).items() if raw and not name.endswith("-shm")}


def settle(file: Path) -> None:
    """As if nobody had written to it for a while."""
    for one in (file, file.with_name(f"{file.name}-wal")):
        if one.exists():
            status = one.stat()
            os.utime(one, (status.st_atime - 60, status.st_mtime - 60))
