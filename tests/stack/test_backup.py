"""Backups and restores of a running stack of production, without a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import backups, leftovers, postgres_images
from .stacks import PRODUCTION, Stack, running

NOTES = "CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, text text)"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(*PRODUCTION) as stack:
        stack.sql_inside(NOTES)
        yield stack


def write(stack: Stack, text: str) -> int:
    """Commits a row, and returns the number of the transaction."""
    statement = f"INSERT INTO notes (text) VALUES ('{text}') RETURNING pg_current_xact_id()"
    return int(stack.sql_inside(statement))


def notes(stack: Stack) -> list[str]:
    return stack.sql_inside("SELECT text FROM notes ORDER BY id").split()


def newest(stack: Stack) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(backups.succeed(stack, "backups", "--json"))
    return found[-1]


def upload(stack: Stack, name: str) -> None:
    script = (
        f"mkdir -p /var/lib/mindgraph/files/aa; echo {name} >/var/lib/mindgraph/files/aa/{name}"
    )
    assert stack.run_in("app", "sh", "-c", script).returncode == 0


def uploaded(stack: Stack) -> set[str]:
    return set(stack.run_in("app", "ls", "/var/lib/mindgraph/files/aa").stdout.split())


def ask_redis(stack: Stack, *command: str) -> str:
    script = 'REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE") exec redis-cli "$@"'
    return stack.run_in("redis", "bash", "-c", script, "bash", *command).stdout.strip()


def test_a_restore_of_a_backup_brings_back_what_was_there_and_keeps_later_files(
    stack: Stack,
) -> None:
    write(stack, "before")
    upload(stack, "first")
    ask_redis(stack, "set", "login:abc", "1", "ex", "5000")
    ask_redis(stack, "set", "session:abc", "1", "ex", "5000")
    ask_redis(stack, "set", "users:1", "1", "ex", "5000")
    backups.succeed(stack, "backup", "--full")
    then = backups.sums(stack)
    write(stack, "after")
    upload(stack, "second")
    ask_redis(stack, "flushall")
    said = backups.succeed(stack, "restore", newest(stack)["id"])
    assert "To go back: set DATA_GENERATION=" in said
    assert backups.sums(stack) == then
    assert notes(stack) == ["before"]
    assert {"first", "second"} <= uploaded(stack)
    assert ask_redis(stack, "get", "login:abc") == "1"
    # One that was ended since must not live again.
    assert ask_redis(stack, "get", "session:abc") == ""
    assert ask_redis(stack, "get", "users:1") == ""
    assert stack.is_well()


def test_a_restore_goes_to_just_before_a_transaction(stack: Stack) -> None:
    backups.succeed(stack, "backup")
    write(stack, "good")
    then = backups.sums(stack)
    mistake = write(stack, "mistake")
    write(stack, "later")
    backups.succeed(stack, "restore", "--to-transaction", str(mistake))
    assert backups.sums(stack) == then
    assert notes(stack)[-1] == "good"


def test_a_restore_goes_to_a_time_also_when_nothing_happened_since(stack: Stack) -> None:
    backups.succeed(stack, "backup")
    write(stack, "kept")
    now = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    time = stack.sql_inside(now)
    then = backups.sums(stack)
    backups.succeed(stack, "restore", "--to", time)
    assert backups.sums(stack) == then
    write(stack, "wrong")
    backups.succeed(stack, "restore", "--to", time)
    assert backups.sums(stack) == then


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--to", "2000-01-01T00:00:00Z"], "no backup is old enough"),
        (["--to", "2999-01-01T00:00:00Z"], "still to come"),
        (["--to", "yesterday"], "no time with a zone"),
        (["20000101T000000Z"], "there is no backup 20000101T000000Z"),
    ],
)
def test_a_restore_that_can_not_be_is_refused(
    stack: Stack, arguments: list[str], reason: str
) -> None:
    before = backups.volumes(stack)
    done = backups.mindgraph(stack, "restore", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert backups.volumes(stack) == before


BUNDLE = "$(find backup/mindgraph/2* -path '*bundle/1' | sort | tail -n 1)"
PACK = "$(find restic/data -type f | tail -n 1)"
DAMAGES = {
    "a file of the database is missing": f"rm {BUNDLE}",
    "a file of the database is cut short": f"truncate -s -100 {BUNDLE}",
    "a byte of the database is another": f"printf x | dd conv=notrunc bs=1 seek=2000 of={BUNDLE}",
    "an uploaded file is missing": f"rm {PACK}",
    "an uploaded file is cut short": f"truncate -s -10 {PACK}",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_backup_is_refused_and_touches_nothing(stack: Stack, damage: str) -> None:
    backups.succeed(stack, "backup", "--full")
    before, rows = backups.volumes(stack), backups.sums(stack)
    backups.in_repository(stack, f"mkdir .kept; cp -a archive backup restic .kept; {damage}")
    try:
        refused = backups.mindgraph(stack, "restore")
        assert refused.returncode == 1
        assert "damaged" in refused.stderr
    finally:
        backups.in_repository(stack, "rm -rf archive backup restic; mv .kept/* .; rm -rf .kept")
    assert backups.volumes(stack) == before
    assert backups.sums(stack) == rows
    assert stack.is_well()


def test_another_key_is_refused_with_the_reason(stack: Stack) -> None:
    key = stack.env["BACKUP_KEY"]
    before = backups.volumes(stack)
    stack.set(BACKUP_KEY="another-key-than-that-one")
    try:
        done = backups.mindgraph(stack, "restore")
    finally:
        stack.set(BACKUP_KEY=key)
    assert done.returncode == 1
    assert "BACKUP_KEY is not the one" in done.stderr
    assert backups.volumes(stack) == before


def test_the_rehearsal_compares_and_leaves_nothing(stack: Stack) -> None:
    backups.succeed(stack, "backup")
    rows = int(stack.sql_inside("SELECT count(*) FROM notes"))
    before = {str(one.name) for one in stack.engine.volumes.list()}
    report = json.loads(backups.succeed(stack, "rehearse-restore", "--json"))
    assert report["reason"] == ""
    assert report["backup"] == newest(stack)["id"]
    assert report["rows"] > rows
    made = {str(one.name) for one in stack.engine.volumes.list()} - before
    assert [name for name in made if stack.project in name] == []
    metrics = stack.run_in("app", "cat", "/var/lib/mindgraph-reports/rehearsal.prom").stdout
    assert "mindgraph_rehearsal_success 1\n" in metrics


def test_another_stack_is_made_of_a_backup_beside_the_one_that_runs(stack: Stack) -> None:
    backups.succeed(stack, "backup")
    then, project = backups.sums(stack), f"{stack.project}-b"
    other = Stack(*PRODUCTION)
    env_file = stack.env_file.with_name(f"{stack.env_file.name}.{project}")
    try:
        backups.succeed(stack, "restore", newest(stack)["id"], "--into", project)
        other.project, other.env_file = project, env_file
        other.read_settings()
        assert other.is_well()
        assert backups.sums(other) == then
        assert other.env["HTTPS_PORT"] != stack.env["HTTPS_PORT"]
        assert stack.is_well()
    finally:
        leftovers.remove(other.engine, other.folder.with_name(project))
        with other:
            pass


def test_two_operations_never_run_at_once(stack: Stack) -> None:
    lock = stack.env_file.with_name("env.lock")
    first = backups.start(stack, "backup")
    try:
        stack.wait(lambda: is_held(lock), "the first one has begun")
        assert "another backup" in backups.mindgraph(stack, "backup").stderr
    finally:
        assert first.wait() == 0


def is_held(lock: Path) -> bool:
    """The file itself stays when the operation is over."""
    inode = f":{lock.stat().st_ino} " if lock.exists() else "none"
    held = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any(inode in line and "FLOCK" in line and "->" not in line for line in held)


def test_retention_removes_both_halves_of_a_backup(stack: Stack) -> None:
    for _ in range(2):
        backups.succeed(stack, "backup", "--full")
    stack.set(BACKUP_FULL_KEPT="2")
    backups.succeed(stack, "backup", "--full")
    listed = json.loads(backups.succeed(stack, "backups", "--json"))
    assert len(listed) == 2
    said = backups.in_repository(stack, "mindgraph-restic snapshots --no-lock --json")
    found = {tag for one in json.loads(said) for tag in one["tags"] if tag[0] == "2"}
    assert found == {one["id"] for one in listed}


def test_after_a_way_back_a_restore_begins_with_a_backup_that_leads_there(stack: Stack) -> None:
    backups.succeed(stack, "backup")
    mistake = write(stack, "astray")
    backups.succeed(stack, "backup")
    backups.succeed(stack, "restore", "--to-transaction", str(mistake))
    write(stack, "anew")
    then = backups.sums(stack)
    done = backups.mindgraph(stack, "restore")
    assert done.returncode == 0, done.stderr
    assert "does not lead there" in done.stderr
    assert backups.sums(stack) == then


def test_another_version_of_the_database_is_backed_up_at_once(stack: Stack) -> None:
    then, known = backups.sums(stack), newest(stack)
    with postgres_images.built("17.1", ""):
        said = backups.succeed(stack, "upgrade-database", "17.1")
        assert "the stack serves with PostgreSQL 17.1" in said
        assert backups.sums(stack) == then
        made = newest(stack)
        assert made["database"]["kind"] == "full"
        assert made["database"]["system"] != known["database"]["system"]
        write(stack, "later")
        now = backups.sums(stack)
        backups.succeed(stack, "restore")
        assert backups.sums(stack) == now
        assert stack.is_well()
