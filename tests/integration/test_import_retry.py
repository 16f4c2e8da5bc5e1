"""What is in quarantine is repaired by SQL, and put back by the command."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from app.ops.migrate import connections
from app.settings import Settings
from tests import commands, databases, samples, sources
from tests.servers import Servers

PUT = """
UPDATE legacy.import_quarantine_values v SET type = %s, value = %s
FROM legacy.import_quarantine q
WHERE q.id = v.quarantine_id AND v.column_name = %s AND q.source_key->>'id' = %s
"""
WAITING = """
SELECT source_key->>'id', column_name, reason FROM legacy.import_quarantine ORDER BY 1
"""
BACK = """
SELECT id, user_id, title, spec::text FROM diagrams WHERE length(id) < 36 ORDER BY id
"""


@dataclass(frozen=True)
class Moved:
    settings: Settings
    connection: Connection

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def repair(self, key: object, column: str, kind: str, value: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(PUT, (kind, value.encode(), column, str(key)))
            assert cursor.rowcount == 1

    def waiting(self) -> dict[str, tuple[str | None, str]]:
        return {key: (column, reason) for key, column, reason in self.select(WAITING)}

    def retry(self) -> CompletedProcess[str]:
        environ = commands.environment_of(self.settings)
        return commands.run("import-sqlite", "--retry-quarantine", environ=environ)


@pytest.fixture
def moved(servers: Servers, tmp_path: Path) -> Iterator[Moved]:
    file = samples.unpack(tmp_path / "dirty.db")
    # From before there was a language.
    sources.make(file, *samples.DIRT, "ALTER TABLE diagrams DROP COLUMN language")
    with databases.on_server(servers, databases.BARE) as name:
        settings = databases.settings_of(servers, name)
        done = commands.run("import-sqlite", str(file), environ=commands.environment_of(settings))
        assert done.returncode == 3, done.stdout + done.stderr
        with closing(
            psycopg2.connect(connections.dsn(settings), application_name="test")
        ) as connection:
            connection.autocommit = True
            yield Moved(settings, connection)


def repair_all_but_one(moved: Moved) -> None:
    moved.repair("too-long", "title", "text", "short 短")
    moved.repair("orphan", "user_id", "integer", "3")
    moved.repair("bad-json", "spec", "text", '{"topic": "水", "n": 9007199254740993}')
    moved.repair(5000, "phone", "text", "second@system.com")
    moved.repair(50, "usage_count", "integer", "7")


def test_what_was_repaired_is_put_back_and_the_rest_stays(moved: Moved) -> None:
    assert set(moved.waiting()) == {
        *("too-long", "orphan", "bad-json", "left-alone", "5000", "of-duplicate", "50")
    }
    repair_all_but_one(moved)
    done = moved.retry()
    assert done.returncode == 3, done.stdout + done.stderr
    assert "put back: 6 rows; left in quarantine: 1" in done.stdout
    assert moved.waiting() == {
        "left-alone": ("title", "text of 201 characters where 200 are allowed")
    }
    assert moved.select(BACK) == [
        ("bad-json", 1, "half a spec", '{"n": 9007199254740993, "topic": "水"}'),
        ("of-duplicate", 5000, "waits for its user", '{"topic": "d"}'),
        ("orphan", 3, "of nobody", '{"topic": "b"}'),
        ("too-long", 1, "short 短", '{"topic": "a"}'),
    ]
    moved.repair("left-alone", "title", "text", "repaired at last")
    done = moved.retry()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "put back: 1 row; left in quarantine: 0" in done.stdout
    assert moved.waiting() == {}
    assert moved.select("SELECT count(*) FROM legacy.import_quarantine_values") == [(0,)]


def test_a_row_that_is_put_back_has_what_newer_columns_begin_with(moved: Moved) -> None:
    repair_all_but_one(moved)
    moved.retry()
    fresh = "SELECT DISTINCT session_epoch FROM users WHERE id IN (1, 5000)"
    assert moved.select(fresh) == [(0,)]
    assert moved.select("SELECT DISTINCT version, language FROM diagrams") == [(1, "zh")]


def test_an_api_key_that_is_put_back_gets_its_account(moved: Moved) -> None:
    repair_all_but_one(moved)
    done = moved.retry()
    assert "the API key mg_50... (negative) now acts for an account of its own" in done.stdout
    assert moved.select("SELECT count(*) FROM api_keys WHERE user_id IS NULL") == [(0,)]


def test_what_was_not_repaired_stays_with_the_reason_of_now(moved: Moved) -> None:
    before = moved.waiting()
    # Another mistake in the place of the first one.
    moved.repair("bad-json", "spec", "text", '{"a": 1, "a": 2}')
    moved.repair("orphan", "user_id", "integer", "88888")
    done = moved.retry()
    assert done.returncode == 3
    assert "put back: 0 rows; left in quarantine: 7" in done.stdout
    after = moved.waiting()
    assert set(after) == set(before)
    assert after["bad-json"] == ("spec", "JSON with a key that stands twice in one object")
    assert after["too-long"] == before["too-long"]
    for key in ("orphan", "of-duplicate"):
        assert "violates foreign key constraint" in after[key][1]
    assert "violates unique constraint" in after["5000"][1]
    assert "violates check constraint" in after["50"][1]


def test_a_value_that_was_repaired_to_nonsense_stays_too(moved: Moved) -> None:
    moved.repair("orphan", "user_id", "integer", "three")
    done = moved.retry()
    assert done.returncode == 3, done.stderr
    assert moved.waiting()["orphan"] == ("user_id", "its value in quarantine is no integer")
