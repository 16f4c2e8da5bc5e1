"""How long a backup and a restore of two gigabytes take, and what is lost with a disk.

Run it from the checkout, after `make build-all`: .venv/bin/python -m benchmarks.restore_times [MB]

The rows are random, and so don't compress more than text does. RTO is the whole command, from its
checks to the stack that serves; the stack has served its old data meanwhile, but for the last part.
The oldest change that the archive lacks is looked at for as long as two files of the log take.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tests.stack import backups
from tests.stack.stacks import PRODUCTION, Stack, running

# Half of each is hexadecimal digits of a random number, half a sentence.
ROW_BYTES = 1_100
FILL = """CREATE TABLE bulk AS SELECT number, (
    SELECT string_agg(md5(random()::text || number), ' the quick brown fox, a lazy dog ')
    FROM generate_series(1, 16)) AS text FROM generate_series(1, {rows}) AS number"""
WRITE = "CREATE TABLE IF NOT EXISTS beat (at timestamptz); INSERT INTO beat VALUES (now())"
WATCH_S = 125


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with running(*PRODUCTION) as stack:
        backups.as_superuser(stack, FILL.format(rows=megabytes * 1_000_000 // ROW_BYTES))
        size = int(backups.as_superuser(stack, "SELECT pg_database_size('mindgraph')"))
        say(f"database: {size / 1e6:.0f} MB")
        say(f"full backup: {timed(lambda: backups.succeed(stack, 'backup', '--full')):.0f} s")
        say(f"differential backup: {timed(lambda: backups.succeed(stack, 'backup')):.0f} s")
        say(f"RPO with the disk lost: {unarchived(stack):.0f} s; with the database killed: 0 s")
        say(f"RTO, restore to the last change: {timed(lambda: restore(stack)):.0f} s")
        say(f"rehearsal: {timed(lambda: backups.succeed(stack, 'rehearse-restore')):.0f} s")


def restore(stack: Stack) -> None:
    backups.succeed(stack, "restore")


def unarchived(stack: Stack) -> float:
    """The greatest age of a change that was not yet in the archive, while one comes each second."""
    worst, deadline = 0.0, time.monotonic() + WATCH_S
    archived = "SELECT extract(epoch FROM now() - greatest(last_archived_time, '{}'))"
    archived += " FROM pg_stat_archiver"
    began = backups.as_superuser(stack, "SELECT now()")
    while time.monotonic() < deadline:
        backups.as_superuser(stack, WRITE)
        worst = max(worst, float(backups.as_superuser(stack, archived.format(began))))
        time.sleep(1)
    return worst


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
