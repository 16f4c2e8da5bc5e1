"""Backups and restores of a running stack of production, without a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from . import backups
from .stacks import PRODUCTION, Stack, running

NOTES = "CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, text text)"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(*PRODUCTION) as stack:
        backups.as_superuser(stack, NOTES)
        yield stack


def write(stack: Stack, text: str) -> int:
    """Commits a row, and returns the number of the transaction."""
    statement = f"INSERT INTO notes (text) VALUES ('{text}') RETURNING pg_current_xact_id()"
    return int(backups.as_superuser(stack, statement))


def notes(stack: Stack) -> list[str]:
    return backups.as_superuser(stack, "SELECT text FROM notes ORDER BY id").split()


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
    assert ask_redis(stack, "get", "session:abc") == "1"
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
    time = backups.as_superuser(stack, now)
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
    folder = "/var/lib/pgbackrest"
    keep = f"rm -rf /tmp/kept; cp -a {folder} /tmp/kept"
    script = f"set -e; {keep}; cd {folder}; {damage}"
    done = stack.container("postgres").exec_run(["bash", "-c", script], user="0", privileged=True)
    assert done.exit_code == 0, done.output
    try:
        refused = backups.mindgraph(stack, "restore")
        assert refused.returncode == 1
        assert "damaged" in refused.stderr
    finally:
        back = f"cp -a /tmp/kept/. {folder}/; rm -rf /tmp/kept"
        stack.container("postgres").exec_run(["bash", "-c", back], user="0", privileged=True)
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
