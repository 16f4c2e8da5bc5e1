"""Backups and restores when something beside them went wrong: nothing good may be lost for it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import backups
from .stacks import CHECKOUT, PRODUCTION, Stack, env_format, running

# A place for files of the log in the repository.
LOG = "archive/mindgraph/17-1"
GAPS = '"$PGDATA.archive-gaps"'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    certificate = tmp_path_factory.mktemp("site") / "own.crt"
    certificate.write_text("a certificate\n")
    with running(*PRODUCTION, settings={"TLS_CERTIFICATE": str(certificate)}) as stack:
        stack.sql_inside("CREATE TABLE notes (id serial PRIMARY KEY, text text)")
        backups.succeed(stack, "backup", "--full")
        yield stack


def write(stack: Stack, text: str) -> str:
    """Commits a row, sees it archived, and returns the name of its file of the log."""
    said = stack.sql_inside(f"INSERT INTO notes (text) VALUES ('{text}')")
    assert said == ""
    file = stack.sql_inside("SELECT pg_walfile_name(pg_current_wal_lsn())")
    stack.sql_inside("SELECT pg_switch_wal()")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    stack.wait(lambda: stack.sql_inside(archived) >= file, f"{file} is archived")
    return file


def notes(stack: Stack) -> list[str]:
    return stack.sql_inside("SELECT text FROM notes ORDER BY id").split()


def pgbackrest(stack: Stack, *arguments: str) -> str:
    done = stack.run_in("postgres", "mindgraph-pgbackrest", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stored(stack: Stack) -> list[str]:
    found: list[dict[str, Any]] = json.loads(pgbackrest(stack, "info", "--output=json"))
    return [one["label"] for one in found[0]["backup"]]


def whole(stack: Stack) -> set[str]:
    found: list[dict[str, Any]] = json.loads(backups.succeed(stack, "backups", "--json"))
    return {one["database"]["label"] for one in found}


def inside(stack: Stack, script: str) -> str:
    done = stack.run_in("postgres", "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_committed_while_the_lock_was_waited_for_is_in_the_sums(stack: Stack) -> None:
    stack.sql_inside("CREATE TABLE busy (id serial PRIMARY KEY, position pg_lsn)")
    # Each transaction is open for longer than the pause to the next.
    writer = """for i in {1..40}; do
        psql -qd mindgraph -c "BEGIN; INSERT INTO busy DEFAULT VALUES; SELECT pg_sleep(0.3); COMMIT"
        psql -qd mindgraph -c "UPDATE busy SET position = pg_current_wal_insert_lsn()
            WHERE position IS NULL"
    done >/dev/null"""
    found = inside(
        stack,
        f"({writer}) & for i in {{1..6}}; do mindgraph-tables /var/run/postgresql race-$i"
        " | grep -E '^[0-9A-F]+/|^busy[|]'; done; wait",
    ).splitlines()
    assert len(found) == 12
    for point, table in zip(found[::2], found[1::2], strict=True):
        position, rows = point.split("|")[0], int(table.split("|")[1])
        before = stack.sql_inside(f"SELECT count(*) FROM busy WHERE position <= '{position}'")
        assert rows >= int(before)
    stack.sql_inside("DROP TABLE busy")


def test_a_run_that_was_killed_while_it_stopped_all_work_stops_nothing_for_good(
    stack: Stack,
) -> None:
    pgbackrest(stack, "stop", "--force")
    backups.succeed(stack, "backup")


def test_half_a_backup_takes_no_place_of_a_whole_one(stack: Stack) -> None:
    before = whole(stack)
    # As when the rest of a backup failed.
    pgbackrest(stack, "backup", "--type=full")
    halves = set(stored(stack)) - before
    assert len(halves) == 1
    stack.set(BACKUP_FULL_KEPT="2")
    backups.succeed(stack, "backup", "--full")
    assert before <= whole(stack)
    assert set(stored(stack)) == whole(stack)


def test_a_backup_forgets_only_the_gaps_before_it(stack: Stack) -> None:
    # Files of the log, by their names: of the first timeline, and of one that nobody reaches.
    when, earlier, later = "2026-01-01T00:00:00Z", f"{1:08X}{0:016X}", f"{0xFFFFFFFF:08X}{0:016X}"
    inside(stack, f"printf '{when} %s\\n' {earlier} {later} >{GAPS}")
    backups.succeed(stack, "backup")
    assert inside(stack, f"cat {GAPS}") == f"{when} {later}\n"
    inside(stack, f"rm {GAPS}")


@pytest.mark.parametrize(
    "command", [backups.command("start"), ["bash", str(CHECKOUT / "docker" / "up.sh")]]
)
def test_a_start_does_not_make_an_empty_database_beside_the_one_that_has_the_data(
    stack: Stack, command: list[str]
) -> None:
    before = backups.volumes(stack)
    stack.set(DATA_GENERATION="-mistyped")
    try:
        done = backups.ended(stack, command)
    finally:
        stack.set(DATA_GENERATION="")
    assert done.returncode != 0
    assert f"volume {stack.project}_postgres-mistyped, which does not exist" in done.stderr
    assert f"{stack.project}_postgres, with DATA_GENERATION= and" in done.stderr
    assert "start --new-database" in done.stderr
    assert backups.volumes(stack) == before
    assert stack.is_well()


def test_another_database_does_not_take_over_the_repository(stack: Stack) -> None:
    before = stored(stack)
    stack.set(DATA_GENERATION="-mistyped")
    backups.succeed(stack, "start", "--new-database")
    done = backups.mindgraph(stack, "backup", "--full")
    assert done.returncode == 1
    assert "backups of another database" in done.stderr
    stack.set(DATA_GENERATION="")
    stack.up()
    assert stored(stack) == before
    write(stack, "archived-as-before")


def test_another_stack_that_was_killed_as_it_started_is_removed_by_the_next_command(
    stack: Stack,
) -> None:
    name = f"{stack.project}-killed"
    of_project: Any = {"label": f"com.docker.compose.project={name}"}
    with backups.start(stack, "restore", "--into", name) as started:
        running: Any = {**of_project, "status": "running"}
        stack.wait(lambda: stack.engine.containers.list(filters=running), "the other one starts")
        os.killpg(started.pid, signal.SIGKILL)
    backups.succeed(stack, "backup")
    assert stack.engine.containers.list(all=True, filters=of_project) == []
    assert stack.engine.volumes.list(filters=of_project) == []
    assert not stack.env_file.with_name(f"{stack.env_file.name}.{name}").exists()


def test_the_settings_of_a_burnt_machine_are_in_its_backups(stack: Stack, tmp_path: Path) -> None:
    folder, certificate = tmp_path / "back", stack.env["TLS_CERTIFICATE"]
    saved = {**stack.env}
    # A new machine's env file has the key and the place of the backups.
    stack.set(TLS_CERTIFICATE="", REDIS_PASSWORD="another-one-than-before")
    kept = stack.env_file.read_text()
    said = backups.succeed(stack, "backups", "configuration", "--into", str(folder))
    assert f"cp {folder}/env {stack.env_file}\n" in said
    assert f"cp {folder}/TLS_CERTIFICATE {certificate}\n" in said
    assert "deploy/mindgraph restore" in said
    brought = env_format.parse((folder / "env").read_text(), {})
    changes = {"BACKUP_FULL_KEPT"}
    assert {name for name in saved if brought.get(name) != saved[name]} <= changes
    assert (folder / "TLS_CERTIFICATE").read_text() == "a certificate\n"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes == {"back": 0o700, "env": 0o600, "TLS_CERTIFICATE": 0o600}
    assert stack.env_file.read_text() == kept
    (folder / "env").write_text("mine")
    again = backups.mindgraph(stack, "backups", "configuration", "--into", str(folder))
    assert again.returncode == 2
    assert f"{folder} can't be made as a new folder" in again.stderr
    assert (folder / "env").read_text() == "mine"
    stack.set(**saved)


def test_a_restore_ends_at_a_gap_of_the_archive_only_when_told_to(stack: Stack) -> None:
    write(stack, "before")
    lost = write(stack, "lost")
    write(stack, "after")
    had = notes(stack)
    backups.in_repository(stack, f"rm {LOG}/{lost[:16]}/{lost}-*")
    done = backups.mindgraph(stack, "restore")
    assert done.returncode == 1
    assert "has a gap" in done.stderr
    assert notes(stack) == had
    into = backups.mindgraph(stack, "restore", "--into", f"{stack.project}-copy")
    assert into.returncode == 1
    assert "has a gap" in into.stderr
    said = backups.succeed(stack, "restore", "--before-gap")
    assert "Its last change is of " in said
    assert notes(stack) == had[: had.index("lost")]
    assert stack.is_well()


def test_a_new_machine_takes_the_backups_of_a_database_that_was_restored_before(
    stack: Stack,
) -> None:
    backups.succeed(stack, "backup", "--full")
    write(stack, "last")
    had = notes(stack)
    # A database that has nothing in common with the one of the backups.
    stack.set(DATA_GENERATION="-empty")
    stack.up()
    backups.succeed(stack, "restore")
    assert notes(stack) == had
    assert stack.is_well()
