"""The embedded database's journal is folded into its file, by one process at a time."""

import sqlite3
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from app.db import engine
from app.db.sqlite import checkpoints, files
from app.settings import Settings
from tests import commands
from tests.cli.processes import Running, running
from tests.databases import on_postgresql, on_sqlite

# Stands by, or makes checkpoints, until it is killed.
KEEPER = """
import signal
from app import logs, settings
from app.db import engine
from app.db.sqlite import checkpoints

loaded = settings.load()
logs.configure(loaded)
with checkpoints.scheduled(engine.file(loaded), 0.05):
    print("begun", flush=True)
    signal.pause()
"""
MINE = "this process makes the checkpoints"


@pytest.fixture
def file(settings: Settings) -> Path:
    found = engine.file(settings)
    assert found
    return found


def write(connection: sqlite3.Connection, kilobytes: int = 1) -> None:
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS filler (x BLOB)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(?))", (kilobytes * 1024,))


def journal_mb(file: Path) -> float:
    return files.size(files.journal(file)) / files.MB


def is_folded(file: Path, size: int) -> bool:
    """Whether the file itself has grown: what is in the journal alone doesn't show."""
    return files.size(file) > size


@on_sqlite
def test_of_many_processes_one_makes_them_and_another_goes_on_when_it_is_killed(
    settings: Settings, file: Path, tmp_path: Path
) -> None:
    environ = commands.environment_of(settings)
    python = (str(commands.MINDGRAPH.with_name("python")), "-c", KEEPER)
    with ExitStack() as stack, closing(sqlite3.connect(file)) as connection:
        started = [
            stack.enter_context(
                running(environ=environ, log=tmp_path / f"said{number}", program=python)
            )
            for number in range(4)
        ]
        for each in started:
            each.wait_for("begun")
        for _ in range(4):
            commands.wait_until(lambda: makers(started), "one of them makes checkpoints")
            write_and_see_it_folded(connection, file)
            [maker] = makers(started)
            # It is folded a moment before this is noted.
            commands.wait_until(lambda: checkpoints.last(file) is not None, "it is noted")
            maker.process.kill()
            maker.process.wait()
        assert not checkpoints.are_made(file)


def makers(started: list[Running]) -> list[Running]:
    return [one for one in started if one.process.poll() is None and MINE in one.said()]


def write_and_see_it_folded(connection: sqlite3.Connection, file: Path) -> None:
    size = files.size(file)
    write(connection, kilobytes=8)
    commands.wait_until(lambda: is_folded(file, size), "it is folded into the file")


@on_sqlite
def test_the_thread_ends_with_its_block_however_long_it_would_wait(file: Path) -> None:
    before = set(threading.enumerate())
    with checkpoints.scheduled(file, every_s=86_400):
        [thread] = set(threading.enumerate()) - before
        assert not thread.daemon
        commands.wait_until(lambda: checkpoints.are_made(file), "it has begun")
    assert not thread.is_alive()
    assert not checkpoints.are_made(file)


@on_sqlite
def test_a_long_journal_is_emptied_once_its_readers_have_ended(file: Path) -> None:
    with closing(sqlite3.connect(file)) as reader, closing(sqlite3.connect(file)) as writer:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchone()
        write(writer, kilobytes=(checkpoints.TRUNCATE_ABOVE_MB + 1) * 1024)
        assert journal_mb(file) > checkpoints.TRUNCATE_ABOVE_MB
        assert not checkpoints.make(file)
        # Nobody was disturbed.
        write(writer)
        assert journal_mb(file) > checkpoints.TRUNCATE_ABOVE_MB
        reader.rollback()
        assert checkpoints.make(file)
        assert journal_mb(file) == 0


@on_sqlite
def test_a_blocked_one_is_made_as_soon_as_it_can_be(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "TRUNCATE_ABOVE_MB", 0)
    with (
        closing(sqlite3.connect(file)) as reader,
        closing(sqlite3.connect(file)) as writer,
        checkpoints.scheduled(file, every_s=0.05),
    ):
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchone()
        write(writer)
        reader.rollback()
        commands.wait_until(lambda: journal_mb(file) == 0, "the journal is empty")


@on_sqlite
def test_a_writer_at_work_is_not_waited_for(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        size = files.size(file)
        writer.execute("CREATE TABLE filler AS SELECT zeroblob(8192) AS x")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE users SET name = 'x'")
        assert checkpoints.make(file)
        assert is_folded(file, size)
        writer.execute("COMMIT")


@on_sqlite
def test_a_file_that_is_gone_is_not_made_anew(file: Path) -> None:
    file.unlink()
    assert not checkpoints.make(file)
    assert not file.exists()


@on_postgresql
def test_with_postgresql_there_is_no_thread_and_no_file(settings: Settings) -> None:
    before = set(threading.enumerate())
    with checkpoints.scheduled(engine.file(settings), every_s=1):
        assert set(threading.enumerate()) == before
    assert not settings.data_dir.exists()
