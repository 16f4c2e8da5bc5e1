"""The proof that PostgreSQL holds exactly what the SQLite file holds.

Each side is read in its own way, and neither through the copy's code. The server sums up hashes of
its values where they are; this side computes the same hashes of what the file's values mean. The
hash of a value starts from the hash of its row's key, so that nothing can stand in another row. A
row without a key has a sum of its own instead, in a `ColumnProof` without names.
"""

import gc
import multiprocessing
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import aggregates, completeness, constraints, left_out, reading, shown, target
from app.ops.migrate.aggregates import Found, Sums
from app.ops.migrate.digests import FLOATS, MOMENTS, Tally
from app.ops.migrate.plan import Link, Move, Plan
from app.ops.migrate.reading import Range, Tallies
from app.ops.migrate.results import ColumnProof, Pair, Proof, TableProof

# A process of its own takes longer to start than it takes to read fewer rows.
WORTH_PROCESSES = 20_000

Connect = Callable[[], Connection]
Read = Callable[[], Tallies]


def verify(
    plan: Plan,
    file: Path,
    connect: Connect,
    *,
    jobs: int,
    saved: target.Catalogue | None,
    snapshot: str | None = None,
) -> Proof:
    """`file` is one that nobody writes to meanwhile, `saved` the target as it was before.

    Without `saved` only rows are compared. `snapshot` is one that another session has exported.

    Nothing is written. An error of either database is raised: only a comparison gives a verdict.

    Raises:
        psycopg2.Error, sqlite3.Error: one side can't be read.
        BrokenProcessPool: a process was killed.
    """
    began = time.monotonic()
    with closing(connect()) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with closing(connection.cursor()) as cursor:
            if snapshot:
                cursor.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
            cursor.execute(aggregates.SETTINGS)
            tables, problems = _compare(plan, file, cursor, jobs)
            checks = [
                completeness.check(plan, file),
            ]
            if saved:
                checks.append(constraints.check(cursor, plan, file, saved))
                checks.append(completeness.check_others(cursor, plan, saved))
    checked = {"tables": len(tables), "columns": sum(len(one.columns) for one in tables)}
    for counted, found in checks:
        checked |= counted
        problems += found
    return Proof(tuple(tables), checked, tuple(problems), time.monotonic() - began)


def _compare(
    plan: Plan, file: Path, cursor: Cursor, jobs: int
) -> tuple[list[TableProof], list[str]]:
    quarantine = left_out.of_moves(cursor, plan)
    tables = []
    problems: list[str] = []
    with _reading(plan, file, quarantine, jobs) as reads:
        # The server does its part while the processes do theirs.
        asked = [_ask(cursor, move) for move in plan.moves]
        for move, expected, (found, seconds) in zip(plan.moves, quarantine, asked, strict=True):
            tallies = reads[move]()
            table = _table(move, tallies, found, seconds)
            tables.append(table)
            problems += _problems(table, tallies, len(expected))
    return tables, problems


def _ask(cursor: Cursor, move: Move) -> tuple[Found, float]:
    began = time.monotonic()
    return aggregates.find(cursor, move), time.monotonic() - began


@contextmanager
def _reading(
    plan: Plan, file: Path, quarantine: list[frozenset[Any]], jobs: int
) -> Iterator[dict[Move, Read]]:
    """What gives each move's tallies, in processes that begin at once where that is worth it."""
    with closing(reading.opened(file)) as connection:
        ranges = {
            move: reading.ranges(connection, move, rows)
            for move, rows in zip(plan.moves, quarantine, strict=True)
        }
        if jobs < 2 or sum(move.rows for move in plan.moves) < WORTH_PROCESSES:
            here = _Here(connection, plan.encoding)
            yield {move: here.read(some) for move, some in ranges.items()}
            return
    with pool(file, plan.encoding, jobs) as started:
        futures = {
            move: [started.submit(_tallies, one) for one in some] for move, some in ranges.items()
        }
        try:
            yield {move: _summing(some) for move, some in futures.items()}
        finally:
            started.shutdown(cancel_futures=True)


def pool(file: Path, encoding: str, jobs: int) -> ProcessPoolExecutor:
    """Processes that read the file, and end with this one however it ends."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, context, _begin, (file, encoding))


@dataclass(frozen=True)
class _Here:
    """Reads in this process."""

    connection: sqlite3.Connection
    encoding: str

    def read(self, ranges: list[Range]) -> Read:
        return lambda: _sum(
            [reading.tallies(self.connection, one, self.encoding) for one in ranges]
        )


def _summing(futures: list[Future[Tallies]]) -> Read:
    return lambda: _sum([one.result() for one in futures])


def _sum(parts: list[Tallies]) -> Tallies:
    first, *others = parts
    for one in others:
        first.add(one)
    return first


# Of a process of the pool: set once by `_begin`, before anything is read.
_process: list[_Here] = []


def _begin(file: Path, encoding: str) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    # Millions of values come and go here, and none of them in circles.
    gc.disable()
    _process.append(_Here(reading.opened(file), encoding))


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _tallies(rows: Range) -> Tallies:
    (here,) = _process
    return reading.tallies(here.connection, rows, here.encoding)


def _table(move: Move, tallies: Tallies, found: Found, seconds: float) -> TableProof:
    columns = [
        _column(link, tally, sums)
        for link, tally, sums in zip(move.links, tallies.columns, found.columns, strict=True)
    ]
    if not move.key:
        none = Pair(None, None)
        whole = Pair(str(tallies.whole), str(found.whole))
        columns.append(ColumnProof("", "", none, none, none, whole))
    return TableProof(
        source=move.source,
        schema=move.schema,
        target=move.table,
        rows=Pair(str(tallies.rows), str(found.rows)),
        quarantined=tallies.left_out,
        columns=tuple(columns),
        seconds=seconds + tallies.seconds,
    )


def _column(link: Link, tally: Tally, sums: Sums) -> ColumnProof:
    total = str(tally.total)
    if tally.unreadable:
        total += f" and {tally.unreadable} without meaning"
    kind = link.column.type
    return ColumnProof(
        source=link.source,
        target=link.column.name,
        nulls=Pair(str(tally.nulls), str(sums.nulls)),
        least=Pair(_end(kind, tally.least), _end(kind, sums.least)),
        most=Pair(_end(kind, tally.most), _end(kind, sums.most)),
        checksum=Pair(total, str(sums.total)),
    )


def _end(kind: str, value: Any) -> str | None:
    """Text is what the server shows; numbers are this side's."""
    if value is None or isinstance(value, str):
        return value
    if kind in FLOATS:
        return repr(value + 0.0)
    if kind in MOMENTS:
        return shown.moment_text(value)
    if kind == "date":
        return shown.day_text(value)
    if kind == "bool":
        return str(bool(value)).lower()
    return shown.numeric(value) if kind == "numeric" else str(value)


def _problems(table: TableProof, tallies: Tallies, expected: int) -> Iterator[str]:
    name = f"{table.source} -> {table.schema}.{table.target}"
    if not table.rows.is_equal:
        yield f"{name}: {table.rows.source} rows should be there, and {table.rows.target} are"
    if tallies.left_out != expected:
        yield f"{name}: {expected} rows are in quarantine, of which the file has {tallies.left_out}"
    for column, tally in zip(table.columns, tallies.columns, strict=False):
        if tally.unreadable:
            yield (
                f"{name}: {tally.unreadable} values of {column.source} can't be in "
                f"{column.target}, and their rows are not in quarantine"
            )
    for column in table.columns:
        if not column.is_equal:
            yield f"{name}: {_difference(column)}"


def _difference(column: ColumnProof) -> str:
    if not column.target:
        return "values stand in other rows than in the file"
    pairs = {
        "NULLs": column.nulls,
        "least": column.least,
        "most": column.most,
        "checksum": column.checksum,
    }
    parts = [
        f"{name} {pair.source} in the file, {pair.target} in PostgreSQL"
        for name, pair in pairs.items()
        if not pair.is_equal
    ]
    return f"{column.source} and {column.target} differ: {'; '.join(parts)}"
