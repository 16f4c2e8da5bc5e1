import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from alembic import command
from sqlalchemy import Engine, inspect, text

from app.db import engine as engines
from app.db import locks, migrations, registry, seed
from app.db.init import SchemaDiffers, init_db
from app.errors import Unavailable
from app.settings import Settings
from tests import commands
from tests.databases import on_postgresql, on_sqlite
from tests.places import CHECKOUT

DEMO = {one.code: one.invitation_code for one in seed.DEMO}

# The real init_db, ended by SIGKILL just before it executes a statement for the nth time.
KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from app import settings
from app.db.init import init_db

start, nth = sys.argv[1], int(sys.argv[2])

@event.listens_for(Engine, "before_cursor_execute")
def kill(connection, cursor, statement, *rest):
    global nth
    if statement.strip().startswith(start):
        nth -= 1
        if nth == 0:
            os.kill(os.getpid(), signal.SIGKILL)

init_db(settings.load())
"""

HOLDER = """
import signal
from app import settings
from app.db import engine, locks

with locks.exclusive(engine.build_direct(settings.load(), name="init"), timeout_s=1):
    print("held", flush=True)
    signal.pause()
"""


@contextmanager
def direct(settings: Settings) -> Iterator[Engine]:
    made = engines.build_direct(settings, name="test")
    try:
        yield made
    finally:
        made.dispose()


def execute(settings: Settings, *statements: str) -> None:
    with direct(settings) as engine, engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def rows(settings: Settings, statement: str) -> list[Any]:
    with direct(settings) as engine, engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def organizations(settings: Settings) -> dict[str, str]:
    return dict(rows(settings, "SELECT code, invitation_code FROM organizations ORDER BY id"))


def tables(settings: Settings) -> set[str]:
    with direct(settings) as engine:
        names = inspect(engine).get_table_names()
    # SQLite's full-text index is a table that has tables of its own.
    return {name for name in names if "_fts" not in name}


def assert_complete(settings: Settings) -> None:
    with direct(settings) as engine, engine.connect() as connection:
        assert migrations.current(connection) == migrations.head()
        assert migrations.differences(connection) == []
    assert organizations(settings) == DEMO


def test_a_database_is_made_from_nothing(empty: Settings) -> None:
    report = init_db(empty)
    assert (report.before, report.after) == (None, migrations.head())
    assert (report.organizations, report.changed) == (4, True)
    assert_complete(empty)
    assert tables(empty) == {*registry.metadata.tables, "alembic_version"}


def test_the_second_time_nothing_is_changed(empty: Settings) -> None:
    init_db(empty)
    execute(empty, "UPDATE organizations SET name = 'ours' WHERE code = 'DEMO-001'")
    before = rows(empty, "SELECT * FROM organizations ORDER BY id")
    report = init_db(empty)
    assert (report.before, report.organizations, report.changed) == (migrations.head(), 0, False)
    assert rows(empty, "SELECT * FROM organizations ORDER BY id") == before


def test_a_deleted_demo_organization_does_not_come_back(empty: Settings) -> None:
    init_db(empty)
    execute(empty, "DELETE FROM organizations WHERE code <> 'BJ-001'")
    assert init_db(empty).changed is False
    assert list(organizations(empty)) == ["BJ-001"]


def test_ten_processes_at_once_make_it_once(empty: Settings) -> None:
    environ = commands.environment_of(empty)
    running = [commands.start("init-db", environ=environ) for _ in range(10)]
    said = [(process.communicate(timeout=120)[0], process.returncode) for process in running]
    assert [code for _, code in said] == [0] * 10, said
    seeded = [text for text, _ in said if "4 organizations seeded" in text]
    assert len(seeded) == 1
    assert sum("nothing to do" in text or "0 organizations" in text for text, _ in said) == 9
    assert sum(" migrated " in text for text, _ in said) == 1
    assert_complete(empty)


# Production refuses to go without captchas.
PRODUCTION = {"environment": "production", "captcha_enabled": True}


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, list(DEMO)),
        ({"seed_demo": False}, []),
        ({"environment": "development"}, list(DEMO)),
        (PRODUCTION, []),
        (PRODUCTION | {"seed_demo": True}, list(DEMO)),
        ({"seed_organizations": "[]"}, []),
        (
            {
                **PRODUCTION,
                "seed_organizations": json.dumps(
                    [
                        {"code": "S-1", "name": "学校 🏫", "invitation_code": "WELCOME-1"},
                        {"code": "S-2", "name": "Two", "invitation_code": "WELCOME-2"},
                    ]
                ),
            },
            ["S-1", "S-2"],
        ),
    ],
    ids=["test", "not wanted", "development", "production", "asked for", "empty list", "a list"],
)
def test_the_settings_say_which_organizations_there_are(
    empty: Settings, changes: dict[str, Any], codes: list[str]
) -> None:
    # Each run makes a database of its own, so the seeds can't come from an earlier one.
    values = empty.model_dump(exclude_unset=True) | changes
    report = init_db(Settings.model_validate(values))
    assert list(organizations(empty)) == codes
    assert report.organizations == len(codes)


@pytest.mark.parametrize(
    ("statement", "nth"),
    [
        ("CREATE TABLE alembic_version", 1),
        ("CREATE TABLE diagrams", 1),
        ("CREATE INDEX ix_diagrams_trash", 1),
        ("INSERT INTO alembic_version", 1),
        ("INSERT INTO organizations", 1),
        ("INSERT INTO organizations", 3),
    ],
)
def test_a_run_that_was_killed_is_completed_by_the_next(
    empty: Settings, statement: str, nth: int
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, statement, str(nth)],
        env=commands.environment_of(empty),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if (statement, nth) == ("INSERT INTO organizations", 1):
        # The schema is at head already, so only the missing seeds tell that work is left.
        assert "diagrams" in tables(empty)
    init_db(empty)
    assert_complete(empty)


def test_a_migration_that_fails_leaves_nothing_behind(empty: Settings) -> None:
    execute(empty, "CREATE TABLE diagrams (left_by TEXT)")
    with pytest.raises(Exception, match="already exists"):
        init_db(empty)
    assert tables(empty) - {"alembic_version"} == {"diagrams"}
    execute(empty, "DROP TABLE diagrams")
    init_db(empty)
    assert_complete(empty)


def test_a_database_from_a_newer_release_is_left_alone(empty: Settings) -> None:
    init_db(empty)
    execute(
        empty,
        "UPDATE alembic_version SET version_num = '9999'",
        "ALTER TABLE users ADD COLUMN of_the_newer_release TEXT",
        "DELETE FROM organizations",
    )
    report = init_db(empty)
    assert (report.before, report.after, report.changed) == ("9999", "9999", False)
    assert rows(empty, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert organizations(empty) == {}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE diagrams DROP COLUMN title", "title"),
        ("ALTER TABLE users ADD COLUMN nickname TEXT", "nickname"),
        ("DROP INDEX ix_users_organization_id", "ix_users_organization_id"),
    ],
)
def test_a_schema_that_differs_is_refused_with_the_difference(
    empty: Settings, change: str, named: str
) -> None:
    bare = empty.model_copy(update={"seed_demo": False})
    init_db(bare)
    execute(empty, change)
    # Seeds are wanted now, so that there is work to do, after which the schema is compared.
    with pytest.raises(SchemaDiffers, match=named):
        init_db(empty)


@on_postgresql
def test_a_table_of_nobody_is_refused(empty: Settings) -> None:
    init_db(empty.model_copy(update={"seed_demo": False}))
    execute(empty, "CREATE TABLE strays (id INTEGER)")
    with pytest.raises(SchemaDiffers, match="strays"):
        init_db(empty)


@on_sqlite
def test_a_file_may_have_tables_that_were_kept_from_an_older_one(empty: Settings) -> None:
    init_db(empty.model_copy(update={"seed_demo": False}))
    execute(empty, "CREATE TABLE kept (id INTEGER)", "CREATE INDEX ix_kept ON kept (id)")
    assert init_db(empty).organizations == 4


@contextmanager
def waiting_for_the_lock(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A process that finds the lock taken; it is free after the block."""
    with direct(settings) as engine, locks.exclusive(engine, timeout_s=1):
        waiting = commands.start("init-db", environ=commands.environment_of(settings))
        commands.wait_until(lambda: _asks_for_lock(settings, waiting.pid), "it asks for the lock")
        assert waiting.poll() is None
        yield waiting


def test_a_process_that_finds_the_lock_taken_waits_and_then_goes_on(empty: Settings) -> None:
    with waiting_for_the_lock(empty) as waiting:
        assert "organizations" not in tables(empty)
    said, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, said
    assert_complete(empty)


def test_a_process_that_waited_for_a_newer_release_leaves_its_work_alone(empty: Settings) -> None:
    with waiting_for_the_lock(empty) as waiting:
        execute(
            empty,
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
            "INSERT INTO alembic_version VALUES ('9999')",
        )
    said, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, "schema 9999: nothing to do" in said) == (0, True), said
    assert tables(empty) == {"alembic_version"}


def test_the_lock_of_a_killed_process_is_free(empty: Settings) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=commands.environment_of(empty),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    with direct(empty) as engine, locks.exclusive(engine, timeout_s=5):
        pass


def test_the_lock_is_given_up_after_a_while(empty: Settings) -> None:
    with (
        direct(empty) as one,
        direct(empty) as other,
        locks.exclusive(one, timeout_s=1),
        pytest.raises(locks.LockTimeout),
        locks.exclusive(other, timeout_s=0.1),
    ):
        pass


def test_threads_of_one_process_hold_the_lock_one_at_a_time(empty: Settings) -> None:
    inside = most = 0
    counting = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with direct(empty) as engine, locks.exclusive(engine, timeout_s=30):
            with counting:
                inside += 1
                most = max(most, inside)
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            with counting:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_a_schema_made_by_alembic_alone_is_taken_over(empty: Settings) -> None:
    with direct(empty) as engine, engine.connect() as connection:
        command.upgrade(migrations.config(connection), "head")
        connection.commit()
    assert init_db(empty).organizations == 4
    assert_complete(empty)


@on_sqlite
def test_a_file_that_can_not_be_opened_is_refused_at_once(empty: Settings) -> None:
    (empty.data_dir / "mindgraph.db").mkdir(parents=True)
    with pytest.raises(Unavailable, match="is no file"):
        init_db(empty)


def _asks_for_lock(settings: Settings, pid: int) -> bool:
    if settings.embedded:
        opened = [file.path for file in psutil.Process(pid).open_files()]
        return any(path.endswith("mindgraph.db.init.lock") for path in opened)
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND query LIKE '%try_advisory%'"
    )
    # The holder's last statement was the same.
    return bool(rows(settings, asked)[0][0] == 2)
