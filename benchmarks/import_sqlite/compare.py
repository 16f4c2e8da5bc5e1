"""What a contender got wrong: the rows of both sides, read in the benchmark's own way.

Each side is read as it is, and none of it by the code that moved it. A sum adds up the digests of
rows, so their order makes no difference.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import psycopg2
from psycopg2 import extensions

from benchmarks.import_sqlite.source import ROWS

MODULUS = 1 << 128
# As SQLAlchemy wrote times into the file.
TIME = "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
# How a column of each type is asked for; others come as they are.
ASKED = {"timestamp with time zone": TIME, "boolean": "{0}::int", "jsonb": "{0}::text"}
OBJECTS = """
    SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid)
        || CASE WHEN convalidated THEN '' ELSE ' not validated' END
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' invalid' END
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relnamespace = 'public'::regnamespace"""
SEQUENCES = """
    SELECT relname, attname, pg_get_serial_sequence(quote_ident(relname), attname)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND attidentity <> ''"""
NOT_ANALYSED = """
    SELECT count(*) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_statistic WHERE starelid = pg_class.oid)"""
# A file from which on processes of their own are worth it.
WORTH_BYTES = 50_000_000
Sum = tuple[int, int]
Columns = list[tuple[str, str]]


def sums_of_file(file: Path, types: dict[str, Columns]) -> dict[str, Sum]:
    """How many rows each table has, and the sum of them."""
    return _sums(_sum_of_file, str(file), types, file)


def sums_of_database(url: str, types: dict[str, Columns], file: Path) -> dict[str, Sum]:
    """The same of a database that was filled from the file."""
    return _sums(_sum_of_database, url, types, file)


def columns(cursor: extensions.cursor) -> dict[str, Columns]:
    """Names and types of each prepared table's columns."""
    cursor.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
    )
    found: dict[str, Columns] = {}
    for table, column, kind in cursor.fetchall():
        found.setdefault(table, []).append((column, kind))
    return found


def objects(cursor: extensions.cursor) -> set[str]:
    """Each constraint and index, as its definition."""
    cursor.execute(OBJECTS)
    return {str(found) for (found,) in cursor.fetchall()}


def differences(
    file: Path, url: str, right: dict[str, Sum], types: dict[str, Columns]
) -> Iterator[str]:
    """What rows the database has otherwise than the file, whose sums are `right`."""
    for table, (rows, total) in sums_of_database(url, types, file).items():
        if rows != right[table][0]:
            yield f"{table}: {rows} rows of {right[table][0]}"
        elif total != right[table][1]:
            names = _columns_that_differ(file, url, table, types[table])
            yield f"{table}: other values in {', '.join(names) or 'other rows'}"


def missing(right: set[str], cursor: extensions.cursor) -> Iterator[str]:
    """What of the prepared schema is no longer there, or doesn't work."""
    for definition in sorted(right - objects(cursor)):
        yield f"missing: {definition}"
    cursor.execute(SEQUENCES)
    for table, column, sequence in cursor.fetchall():
        if _collides(cursor, table, column, sequence):
            yield f"{table}.{column}: the next id is taken"
    cursor.execute(NOT_ANALYSED)
    ((number,),) = cursor.fetchall()
    if number:
        yield f"{number} tables without statistics"


def _columns_that_differ(file: Path, url: str, table: str, found: Columns) -> list[str]:
    """Slow: a sum for each column of a table."""
    wrong = []
    for column in found:
        if _sum_of_file(str(file), table, [column]) != _sum_of_database(url, table, [column]):
            wrong.append(column[0])
    return wrong


def _collides(cursor: extensions.cursor, table: str, column: str, sequence: str) -> bool:
    cursor.execute(
        f"SELECT coalesce(max({column}), 0) >= (SELECT last_value + is_called::int FROM {sequence})"  # noqa: S608
        f" FROM {table}"
    )
    return bool(cursor.fetchall()[0][0])


def _sums(
    total: Callable[[str, str, Columns], Sum], place: str, types: dict[str, Columns], file: Path
) -> dict[str, Sum]:
    # The biggest table alone takes as long as all others.
    tables = sorted(ROWS, key=lambda table: -ROWS[table])
    tasks = ([place] * len(tables), tables, [types[table] for table in tables])
    if file.stat().st_size < WORTH_BYTES:
        return dict(zip(tables, map(total, *tasks), strict=True))
    # Not forked: the caller may have threads.
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return dict(zip(tables, pool.map(total, *tasks), strict=True))


def _sum_of_file(file: str, table: str, found: Columns) -> Sum:
    names = ", ".join(f'"{name}"' for name, _ in found)
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        rows = connection.execute(f"SELECT {names} FROM {table}")  # noqa: S608
        return _sum(rows, found)


def _sum_of_database(url: str, table: str, found: Columns) -> Sum:
    names = ", ".join(ASKED.get(kind, "{0}").format(f'"{name}"') for name, kind in found)
    with closing(psycopg2.connect(url)) as connection, connection.cursor("rows") as cursor:
        cursor.itersize = 5000
        cursor.execute(f"SELECT {names} FROM {table}")  # noqa: S608
        return _sum(cursor, found)


def _sum(rows: Iterable[tuple[object, ...]], found: Columns) -> Sum:
    documents = [at for at, (_, kind) in enumerate(found) if kind == "jsonb"]
    number = total = 0
    for row in rows:
        values = list(row)
        for at in documents:
            values[at] = _document(values[at])
        text = repr([bytes(one) if isinstance(one, memoryview) else one for one in values])
        digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
        total = (total + int.from_bytes(digest)) % MODULUS
        number += 1
    return number, total


def _document(value: object) -> object:
    """JSON apart from the order of its keys and its spaces; no JSON is None, and null is "null"."""
    if value is None:
        return None
    return json.dumps(json.loads(str(value)), sort_keys=True)
