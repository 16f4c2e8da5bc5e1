"""`mindgraph import-sqlite`: what can't be done is told in a sentence, and nothing is begun."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from app.ops.migrate import connections
from app.settings import Settings
from tests import commands, sources
from tests.databases import on_postgresql

pytestmark = on_postgresql

SOURCE = "CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT, name TEXT, password_hash TEXT)"
PERSON = "INSERT INTO users VALUES (1, '13800000001', 'Alice', '$2b$12$unusable')"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return sources.make(tmp_path / "old.db", SOURCE, PERSON)


def refused(settings: Settings, *arguments: str, code: int = 1) -> str:
    """What it complains about, in one line."""
    done = commands.run("import-sqlite", *arguments, environ=commands.environment_of(settings))
    assert done.returncode == code, done.stderr
    *phases, sentence = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert all("stopped after" in one or ": " in one for one in phases), done.stderr
    return sentence


def test_a_wrong_password(empty: Settings, file: Path) -> None:
    wrong = empty.model_copy(update={"database_owner_password": "wrong"})
    sentence = refused(wrong, str(file))
    assert "password authentication failed" in sentence
    assert "wrong" not in sentence


def test_a_database_that_is_not_there(empty: Settings, file: Path) -> None:
    nowhere = empty.model_copy(update={"database_name": "nowhere"})
    assert 'database "nowhere" does not exist' in refused(nowhere, str(file))


def test_no_server(empty: Settings, file: Path, closed_port: int) -> None:
    nobody = empty.model_copy(update={"database_port": closed_port})
    assert "no connection to PostgreSQL" in refused(nobody, str(file))


def test_a_target_that_is_a_file(empty: Settings, file: Path) -> None:
    sentence = refused(empty.model_copy(update={"database_host": None}), str(file))
    assert "the target must be PostgreSQL" in sentence
    assert "--to postgresql://" in sentence


def _missing(file: Path) -> None:
    file.unlink()


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _nothing(file: Path) -> None:
    file.write_bytes(b"")


def _letter(file: Path) -> None:
    file.write_text("Dear Alice")


def _encrypted(file: Path) -> None:
    file.write_bytes(os.urandom(8192))


def _damaged(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executemany("INSERT INTO users (name) VALUES (?)", [["x" * 500]] * 100)
    with file.open("r+b") as raw:
        raw.seek(2 * 4096)
        raw.write(b"\xff" * 4096)


Harm = Callable[[Path], None]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_missing, "there is no file"),
        (_folder, "is a folder; name the SQLite file in it"),
        (_nothing, "is empty (0 bytes)"),
        (_letter, "is no SQLite database"),
        (_encrypted, "it is encrypted: decrypt it"),
        (_damaged, "is damaged"),
    ],
)
def test_a_file_that_is_none(empty: Settings, file: Path, harm: Harm, words: str) -> None:
    harm(file)
    assert words in refused(empty, str(file))
    assert _tables(empty, "legacy") == []
    # Damage is found only by reading the file, which may take long.
    assert bool(_tables(empty, "public")) == (harm is _damaged)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("nowhere/report.json", "can't write"),
        ("report.txt", "must end in .json"),
        ("folder.json", "can't write"),
        ("page.json", "can't write"),
    ],
)
def test_a_report_that_could_not_be_written(
    empty: Settings, file: Path, tmp_path: Path, report: str, words: str
) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "page.html").mkdir()
    assert words in refused(empty, str(file), "--report", str(tmp_path / report))
    assert _tables(empty, "public") == []


def test_a_report_for_which_there_is_no_room_is_told_again(
    empty: Settings, file: Path, tmp_path: Path
) -> None:
    full = tmp_path / "full.json"
    full.symlink_to("/dev/full")
    environ = commands.environment_of(empty)
    done = commands.run("import-sqlite", str(file), "--report", str(full), environ=environ)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "with --resume and another name for --report" in done.stderr
    report = tmp_path / "report.json"
    again = ("import-sqlite", str(file), "--resume", "--report", str(report))
    done = commands.run(*again, environ=environ)
    assert done.returncode in (0, 3), done.stderr
    assert '"verdict"' in report.read_text()


@pytest.mark.parametrize(
    "arguments",
    [("--jobs", "0"), ("--jobs", "many"), ("--resume", "--restart"), ("--on-bad-row", "ignore")],
)
def test_wrong_use(empty: Settings, file: Path, arguments: tuple[str, ...]) -> None:
    done = commands.run(
        "import-sqlite", str(file), *arguments, environ=commands.environment_of(empty)
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_no_file(empty: Settings) -> None:
    assert "name the SQLite file" in refused(empty, code=2)


SLOW = """
CREATE OR REPLACE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep({}); RETURN true; END $$
"""


def test_ctrl_c_is_told_in_a_sentence_and_the_service_waits_for_the_end(
    empty: Settings, file: Path
) -> None:
    environ = commands.environment_of(empty)
    table = "CREATE TABLE users (id integer PRIMARY KEY, name text, CHECK (slow()))"
    _execute(empty, SLOW.format(600), table)
    arguments = ("import-sqlite", str(file), "--no-init", "--jobs", "1")
    process = commands.start(*arguments, environ=environ, start_new_session=True)
    with process:
        try:
            commands.wait_until(lambda: _is_asleep(empty), "the first row waits")
            # As a terminal does, to all processes of it.
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout
        said = process.stdout.read()
    assert "Traceback" not in said
    assert said.endswith("interrupted; go on by --resume, or begin anew by --restart\n")
    for command in ("init-db", "serve"):
        done = commands.run(command, environ=environ | {"APP_PORT": "0"})
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "an import into this database is not finished" in done.stderr
    # What sleeps is ended by who goes on.
    _execute(empty, SLOW.format(0))
    done = commands.run(*arguments, "--resume", environ=environ)
    assert done.returncode == 0, done.stderr
    assert _query(empty, "SELECT id, name FROM users") == [(1, "Alice")]


def _is_asleep(settings: Settings) -> bool:
    asleep = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    return bool(_query(settings, f"{asleep} AND datname = current_database()"))


def _execute(settings: Settings, *statements: str) -> None:
    for statement in statements:
        _query(settings, statement)


def _query(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    dsn = connections.dsn(settings)
    with (
        closing(psycopg2.connect(dsn, application_name="test")) as made,
        made,
        made.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _tables(settings: Settings, schema: str) -> list[tuple[object, ...]]:
    return _query(settings, f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")
