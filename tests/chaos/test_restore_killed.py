"""kill -9 for the database under load, and for a restore at any moment."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.stack import backups, kills
from tests.stack.stacks import PRODUCTION, Stack, StackFailed, running

INSERT = "INSERT INTO notes (text) VALUES ('{}') RETURNING pg_current_xact_id()"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(*PRODUCTION) as stack:
        stack.sql_inside("CREATE TABLE notes (id serial PRIMARY KEY, text text)")
        backups.succeed(stack, "backup")
        yield stack


class Load:
    """Writes rows one after another until it is stopped; `acknowledged` are those that it was told
    are committed."""

    def __init__(self, stack: Stack) -> None:
        self.acknowledged: list[str] = []
        self.pause = threading.Lock()
        self._stack = stack
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            with self.pause:
                try:
                    self._stack.sql_inside(INSERT.format(f"n{number}"))
                except (AssertionError, StackFailed, OSError):
                    # The database is away.
                    time.sleep(0.05)
                    continue
            self.acknowledged.append(f"n{number}")


def rows(stack: Stack) -> set[str]:
    return set(stack.sql_inside("SELECT text FROM notes").split())


def test_a_database_killed_under_load_comes_back_to_just_before_a_mistake(stack: Stack) -> None:
    with Load(stack) as load:
        time.sleep(random.uniform(1, 3))
        with load.pause:
            before = list(load.acknowledged)
            then = backups.sums(stack)
            mistake = stack.sql_inside(INSERT.format("mistake"))
        time.sleep(random.uniform(0, 2))
        database = stack.container("postgres")
        kills.kill_and_wait_for_restart(stack, "postgres", kills.main_process_of(database))
    stack.wait_until_well()
    backups.succeed(stack, "restore", "--to-transaction", mistake)
    assert len(before) > 3
    assert set(before) <= rows(stack)
    assert "mistake" not in rows(stack)
    assert backups.sums(stack) == then


def test_what_a_dead_database_had_not_archived_comes_back_as_well(stack: Stack) -> None:
    backups.succeed(stack, "backup")
    with Load(stack) as load:
        time.sleep(2)
        stack.compose("kill", "--signal", "SIGKILL", "postgres")
    backups.succeed(stack, "restore")
    assert len(load.acknowledged) > 3
    assert set(load.acknowledged) <= rows(stack)
    stack.wait_until_well()


def test_a_restore_that_is_killed_leaves_a_stack_that_serves_and_the_next_one_works(
    stack: Stack,
) -> None:
    backups.succeed(stack, "backup")
    stack.sql_inside(INSERT.format("newer"))
    then, data = backups.sums(stack), stack.env.get("DATA_GENERATION")
    known = backups.volumes(stack)
    for _ in range(4):
        restore = backups.start(stack, "restore")
        deadline = time.monotonic() + random.uniform(0, 12)
        while time.monotonic() < deadline and not switched(stack, data):
            time.sleep(0.05)
        os.killpg(restore.pid, signal.SIGKILL)
        restore.wait()
        if switched(stack, data):
            break
        assert stack.is_well()
        assert backups.sums(stack) == then
    backups.succeed(stack, "restore")
    assert backups.sums(stack) == then
    assert stack.is_well()
    assert len(backups.volumes(stack) - known) in (4, 8)


@pytest.mark.parametrize("command", ["start", "backup"])
def test_what_a_killed_restore_had_stopped_runs_after_the_next_command(
    stack: Stack, command: str
) -> None:
    backups.succeed(stack, "backup")
    then = backups.sums(stack)
    restore = backups.start(stack, "restore")
    stack.wait(lambda: stack.state("app")["Status"] == "exited", "the service is stopped for it")
    os.killpg(restore.pid, signal.SIGKILL)
    restore.wait()
    backups.succeed(stack, command)
    assert stack.is_well()
    assert backups.sums(stack) == then


def switched(stack: Stack, before: str | None) -> bool:
    stack.read_settings()
    return stack.env.get("DATA_GENERATION") != before
