"""The least that a server needs: ready files of its own, into tables without keys or indexes."""

from __future__ import annotations

import re
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from psycopg2 import extensions

from benchmarks.import_sqlite import measure
from benchmarks.import_sqlite.compare import Columns, Sum
from benchmarks.import_sqlite.measure import Taken
from benchmarks.import_sqlite.server import Server
from benchmarks.import_sqlite.source import ROWS

FORMATS = ("text", "binary")
CONNECTIONS = 2
# Of a part: both connections shall have work to the end.
PART_BYTES = 16_000_000
PAGE_BYTES = 8192
ESCAPED = re.compile(r"[\\\t\n\r]")


@dataclass(frozen=True)
class Part:
    """Some pages of a table, as a file of the server in each format."""

    table: str
    first: int
    last: int

    def file(self, kind: str) -> str:
        return f"/tmp/floor-{self.table}-{self.first}.{kind}"  # noqa: S108 - in the container


def export(server: Server, file: Path, types: dict[str, Columns]) -> list[Part]:
    """Writes the source's rows to files of the server, in both formats."""
    with server.database() as name, server.connected(name) as cursor:
        _make_bare(cursor)
        parts = []
        for table in ROWS:
            _fill(cursor, file, table, types[table])
            made = list(_parts(cursor, table))
            for part in made:
                _write(cursor, part)
            parts += made
    return sorted(parts, key=lambda part: part.first - part.last)


def load(server: Server, parts: list[Part], kind: str, right: dict[str, Sum]) -> Taken:
    """Reads the files of one format, with two connections at once; all rows must be there."""
    with server.database() as name:
        with server.connected(name) as cursor:
            _make_bare(cursor)
        server.settle()
        used, busy = server.cpu_seconds(), measure.busy_seconds()
        began = time.monotonic()
        waiting = iter(parts)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for worker in [
                pool.submit(_read, server, name, kind, waiting) for _ in range(CONNECTIONS)
            ]:
                worker.result()
        wall = time.monotonic() - began
        busy = measure.busy_seconds() - busy
        used = server.cpu_seconds() - used
        with server.connected(name) as cursor:
            for table, (rows, _) in right.items():
                cursor.execute(f"SELECT count(*) FROM bare.{table}")  # noqa: S608
                assert cursor.fetchall() == [(rows,)], f"the floor's files lack rows of {table}"
        return Taken(wall, server_cpu_s=used, others_cpu_s=max(busy - used, 0.0))


def _read(server: Server, name: str, kind: str, waiting: Iterator[Part]) -> None:
    with server.connected(name) as cursor:
        # An iterator of a list hands each part to one thread.
        for part in waiting:
            cursor.execute(f"COPY bare.{part.table} FROM '{part.file(kind)}' (FORMAT {kind})")


def _make_bare(cursor: extensions.cursor) -> None:
    cursor.execute("CREATE SCHEMA bare")
    for table in ROWS:
        cursor.execute(f"CREATE TABLE bare.{table} (LIKE public.{table})")


def _fill(cursor: extensions.cursor, file: Path, table: str, found: Columns) -> None:
    """Plain and slow, and independent of every contender."""
    names = ", ".join(f'"{name}"' for name, _ in found)
    with (
        closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection,
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as text,
    ):
        _dump(text, connection.execute(f"SELECT {names} FROM {table}"))  # noqa: S608
        text.seek(0)
        cursor.execute("SET TimeZone = 'UTC'")
        cursor.copy_expert(f"COPY bare.{table} ({names}) FROM STDIN", text)


def _dump(text: IO[str], rows: Iterable[tuple[object, ...]]) -> None:
    for row in rows:
        text.write("\t".join(map(_field, row)) + "\n")


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return f"\\\\x{value.hex()}"
    if isinstance(value, str) and ESCAPED.search(value):
        # The backslash first, as the others bring more of them.
        for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            value = value.replace(raw, escaped)
    return str(value)


def _parts(cursor: extensions.cursor, table: str) -> Iterator[Part]:
    cursor.execute(f"SELECT pg_relation_size('bare.{table}'), pg_table_size('bare.{table}')")
    ((pages, size),) = cursor.fetchall()
    pages //= PAGE_BYTES
    # What is beside the pages, as long values, is spread over all of them.
    step = max(1, pages * PART_BYTES // max(size, 1))
    for first in range(0, pages, step):
        yield Part(table, first, first + step)


def _write(cursor: extensions.cursor, part: Part) -> None:
    rows = (
        f"SELECT * FROM bare.{part.table} "  # noqa: S608
        f"WHERE ctid >= '({part.first},0)' AND ctid < '({part.last},0)'"
    )
    for kind in FORMATS:
        cursor.execute(f"COPY ({rows}) TO '{part.file(kind)}' (FORMAT {kind})")
