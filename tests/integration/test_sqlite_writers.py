"""Many writers on one embedded database: each one's write is there, or it is told to try again."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from app import clock
from app.db import engine
from app.db.errors import DatabaseBusy, DatabaseDamaged, DatabaseUnavailable, DiskFull
from app.db.session import Database
from app.db.sqlite import connections
from app.http.responses import error_response
from app.organizations.models import Organization
from app.settings import Settings
from tests import commands
from tests.databases import on_sqlite
from tests.places import CHECKOUT

pytestmark = on_sqlite

PROCESSES = 8
THREADS = 2
WRITES = 20
# Writes from threads; tells how each write ended.
WRITER = """
import collections, json, sys, threading
from app import clock, settings
from app.db import engine
from app.db.session import Database
from app.organizations.models import Organization
from app.organizations import queries

name, threads, writes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
database = Database(engine.build(settings.load(), name="writer", threads=threads))
ends = collections.Counter()

def write(thread):
    for number in range(writes):
        try:
            with database.begin() as session:
                # A reader that becomes a writer is the case that SQLite doesn't wait for.
                queries.exists(session)
                session.add(Organization(
                    code=f"{name}-{thread}-{number}", name="x", created_at=clock.now()
                ))
            ends["written"] += 1
        except Exception as error:
            ends[type(error).__name__] += 1

workers = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
for worker in workers: worker.start()
for worker in workers: worker.join()
database.close()
print(json.dumps(ends))
"""


def written(database: Database) -> int:
    with database.read() as session:
        ours = Organization.code.startswith("writer")
        return session.scalar(select(func.count()).where(ours)) or 0


def test_writers_in_processes_and_threads_at_once_all_write(
    settings: Settings, database: Database
) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, f"writer{number}", str(THREADS), str(WRITES)],
            env=commands.environment_of(settings),
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    ends = [json.loads(writer.communicate(timeout=120)[0]) for writer in writers]
    told = sum(one.pop("written", 0) for one in ends)
    assert told == written(database)
    # On a slow machine a writer's turn may not come in time, and then it is told so.
    assert {name for one in ends for name in one} <= {"DatabaseBusy"}
    assert told > PROCESSES * THREADS * WRITES / 2


def insert(database: Database) -> None:
    with database.begin() as session:
        session.add(Organization(code="writer", name="x", created_at=clock.now()))


def test_a_lock_that_is_not_given_up_is_busy_and_may_be_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_MS", 50)
    file = engine.file(settings)
    assert file
    database = Database(engine.build(settings, name="test", threads=1))
    with closing(sqlite3.connect(file, isolation_level=None)) as other, closing(database):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy) as busy:
            insert(database)
        answer = error_response(busy.value)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        other.execute("ROLLBACK")
        insert(database)
        assert written(database) == 1


def grow(database: Database) -> None:
    with database.begin() as session:
        session.execute(text("PRAGMA max_page_count = 1"))
        session.execute(text("CREATE TABLE filler AS SELECT zeroblob(1000000) AS x"))


def test_a_file_that_may_not_grow_is_full(database: Database) -> None:
    with pytest.raises(DiskFull):
        grow(database)
    assert written(database) == 0


def test_a_file_that_is_spoilt_under_way_is_damaged_and_no_bug(
    settings: Settings, database: Database
) -> None:
    file = engine.file(settings)
    assert file
    database.engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        find = "SELECT rootpage FROM sqlite_schema WHERE name = 'organizations'"
        root: int = connection.execute(find).fetchone()[0]
    spoil(file, (root - 1) * 4096)
    with pytest.raises(DatabaseDamaged), database.read() as session:
        session.scalars(select(Organization)).all()


def test_a_file_that_is_no_database_any_more_is_damaged(
    settings: Settings, database: Database
) -> None:
    file = engine.file(settings)
    assert file
    spoil(file, 0)
    with pytest.raises(DatabaseDamaged):
        written(database)


def test_a_folder_that_is_gone_is_unavailable(settings: Settings, database: Database) -> None:
    settings.data_dir.rename(settings.data_dir.with_name("elsewhere"))
    with pytest.raises(DatabaseUnavailable):
        insert(database)


def spoil(file: Path, at: int) -> None:
    with file.open("r+b") as raw:
        raw.seek(at)
        raw.write(b"\xff" * 200)
