"""How long a backup and a restore of two gigabytes take, and what is lost with a disk.

Run it from the checkout, after `make build-all`: .venv/bin/python -m benchmarks.restore_times [MB]

RTO is the whole command, from its checks to the stack that serves; the stack has served its old
data meanwhile, but for the last part. Beside it stands the limit: the same files copied and synced,
which any restore has to do. RPO is what the archive lacks when the disk is lost, looked at each
second for longer than two files of the log take; and what a killed database lacks of what it had
acknowledged.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable

from tests.stack import backups, kills
from tests.stack.stacks import PRODUCTION, Stack, running

# What a row takes on the disk: digits of random numbers, which don't compress more than text does.
ROW_BYTES = 1_300
# As many rows a statement as the container's memory likes.
CHUNK_ROWS = 100_000
TABLE = "CREATE TABLE bulk (number bigint, text text STORAGE EXTERNAL)"
FILL = """INSERT INTO bulk SELECT number, (
    SELECT string_agg(md5(random()::text || number || part), ' fox ')
    FROM generate_series(1, 34) AS part) FROM generate_series(1, {rows}) AS number"""
BEATS = "CREATE TABLE beat (number bigint, at timestamptz DEFAULT clock_timestamp())"
BEAT = "INSERT INTO beat VALUES ({number})"
WATCH_S = 125
WRITES = 300
COPY = "mkdir /var/lib/pgbackrest/copy && cp -r $PGDATA/. /var/lib/pgbackrest/copy && sync"
REMOVE = "rm -rf /var/lib/pgbackrest/copy"
STREAM = "pg_basebackup --username mindgraph_backup"
STREAM += " --pgdata - --format tar --wal-method none"
STREAM += " --checkpoint fast > /dev/null"


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with running(*PRODUCTION) as stack:
        fill(stack, megabytes * 1_000_000 // ROW_BYTES)
        measure_backups(stack)
        stack.sql_inside(BEATS)
        say(f"RPO, disk lost: {unarchived(stack):.0f} s before the loss")
        say(f"RPO, database killed: {missing(stack)} of {WRITES} acknowledged changes")
        measure_restores(stack)


def fill(stack: Stack, rows: int) -> None:
    stack.sql_inside(TABLE)
    for _ in range(max(rows // CHUNK_ROWS, 1)):
        stack.sql_inside(FILL.format(rows=min(rows, CHUNK_ROWS)))
    stack.sql_inside("CHECKPOINT")
    size = int(stack.sql_inside("SELECT pg_database_size('mindgraph')"))
    say(f"database: {size / 1e6:.0f} MB")


def measure_backups(stack: Stack) -> None:
    stream = timed(lambda: inside(stack, STREAM))
    say(f"limit, pg_basebackup to nowhere: {stream:.0f} s")
    for kind, options in (("full", ["--full"]), ("differential", [])):
        took = timed(functools.partial(backups.succeed, stack, "backup", *options))
        say(f"{kind} backup: {took:.0f} s, {took / stream:.1f} times the limit")


def measure_restores(stack: Stack) -> None:
    copied = timed(lambda: inside(stack, COPY))
    inside(stack, REMOVE)
    say(f"limit, the files copied and synced: {copied:.0f} s")
    for what, command in (
        ("rehearsal with the checksums of all rows", "rehearse-restore"),
        ("RTO, restore to the last change", "restore"),
    ):
        took = timed(functools.partial(backups.succeed, stack, command))
        say(f"{what}: {took:.0f} s, {took / copied:.1f} times the limit")


def unarchived(stack: Stack) -> float:
    """The greatest age of a change that the archive lacked, in seconds; one comes each second."""
    began = stack.sql_inside("SELECT now()")
    archived = "SELECT extract(epoch FROM now() - greatest(last_archived_time, '{}'))"
    archived += " FROM pg_stat_archiver"
    worst, deadline = 0.0, time.monotonic() + WATCH_S
    while time.monotonic() < deadline:
        stack.sql_inside(BEAT.format(number=0))
        worst = max(worst, float(stack.sql_inside(archived.format(began))))
        time.sleep(1)
    return worst


def missing(stack: Stack) -> int:
    """How many acknowledged changes a database lacks that is killed after the last of them."""
    stack.sql_inside("TRUNCATE beat")
    for number in range(WRITES):
        stack.sql_inside(BEAT.format(number=number))
    pid = kills.main_process_of(stack.container("postgres"))
    kills.kill_and_wait_for_restart(stack, "postgres", pid)
    stack.wait_until_well()
    return WRITES - int(stack.sql_inside("SELECT count(DISTINCT number) FROM beat"))


def inside(stack: Stack, script: str) -> None:
    done = stack.run_in("postgres", "bash", "-c", script)
    assert done.returncode == 0, done.stderr


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
