"""Which statements take the time: what the database counts, and what the service logs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.db import engine
from app.db.session import Database, DatabaseUnavailable
from app.ops import statements
from app.settings import Settings
from tests import commands
from tests.databases import Backend, superuser
from tests.servers import Servers

SECRET = "correct-horse-battery-staple"


@pytest.fixture
def backend() -> Backend:
    return "postgresql"


@pytest.fixture
def slow(settings: Settings) -> Iterator[Database]:
    watched = settings.model_copy(update={"database_slow_ms": 50})
    made = Database(engine.build(watched, name="test", threads=2))
    yield made
    made.close()


# What the database counts


def test_the_slowest_statement_of_the_service_comes_first(
    settings: Settings, database: Database
) -> None:
    for _ in range(3):
        with database.read() as session:
            session.execute(text("SELECT pg_sleep(:seconds), :word"), {"seconds": 0.2, "word": "a"})
    first, *others = statements.slowest(settings, 5)
    assert first.statement == "SELECT pg_sleep($1), $2"
    assert (first.calls, first.rows) == (3, 3)
    assert first.total_ms >= 600
    assert first.mean_ms == pytest.approx(first.total_ms / 3)
    assert 0.5 < first.share <= 1
    assert len(others) == 4
    assert sorted([one.total_ms for one in others], reverse=True) == [
        one.total_ms for one in others
    ]


def test_the_command_prints_them(settings: Settings, database: Database) -> None:
    with database.read() as session:
        session.execute(
            text("SELECT pg_sleep(:seconds),\n    :word"), {"seconds": 0.3, "word": "b"}
        )
    environ = commands.environment_of(settings)
    table = commands.run("statements", "--top", "3", environ=environ)
    assert table.returncode == 0, table.stderr
    head, first, *_ = table.stdout.splitlines()
    assert head.split() == ["share", "total", "calls", "mean", "rows", "statement"]
    assert first.endswith("SELECT pg_sleep($1), $2")
    assert len(table.stdout.splitlines()) == 4
    listed = commands.run("statements", "--top", "1", "--json", environ=environ)
    [one] = json.loads(listed.stdout)
    assert one["statement"] == "SELECT pg_sleep($1),\n    $2"
    assert set(one) == {"statement", "calls", "rows", "total_ms", "mean_ms", "share"}


@pytest.mark.parametrize("number", ["0", "-1", "1001", "x", "1.5"])
def test_a_number_that_can_not_be_is_refused(settings: Settings, number: str) -> None:
    done = commands.run("statements", "--top", number, environ=commands.environment_of(settings))
    assert done.returncode == 2
    assert "is no number from 1 to 1000" in done.stderr


def test_without_the_extension_it_says_what_to_do(settings: Settings, servers: Servers) -> None:
    with superuser(servers, settings.database_name) as connection, connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION pg_stat_statements")
    with pytest.raises(statements.ExtensionMissing, match="CREATE EXTENSION"):
        statements.slowest(settings, 5)


def test_a_role_that_may_not_see_them_is_told(settings: Settings) -> None:
    """As with a managed database, where one role does all."""
    owner = engine.build_direct(settings, name="test")
    with owner.connect() as connection:
        connection.execute(text("SELECT 1 AS of_the_owner"))
    poor = settings.model_copy(update={"database_owner_password": None})
    with pytest.raises(statements.StatementsHidden, match="GRANT pg_read_all_stats"):
        statements.slowest(poor, 1_000)


def test_a_database_that_is_down_is_named(settings: Settings, closed_port: int) -> None:
    with pytest.raises(DatabaseUnavailable):
        statements.slowest(settings.model_copy(update={"database_port": closed_port}), 5)


def test_the_embedded_database_has_none(tmp_path: Path) -> None:
    with pytest.raises(statements.NoStatistics):
        statements.slowest(Settings(data_dir=tmp_path), 5)


# What the service logs


def test_a_slow_statement_is_logged_without_its_values(slow: Database) -> None:
    with capture_logs() as lines, slow.read() as session:
        session.execute(text("SELECT pg_sleep(:s),\n  :password"), {"s": 0.06, "password": SECRET})
    [line] = [one for one in lines if one["event"] == "a slow statement"]
    assert line["statement"] == "SELECT pg_sleep(%(s)s), %(password)s"
    assert line["ms"] >= 50
    assert SECRET not in str(lines)


def test_a_fast_one_is_not(slow: Database) -> None:
    with capture_logs() as lines, slow.read() as session:
        session.execute(text("SELECT 1"))
    assert [one for one in lines if one["event"] == "a slow statement"] == []


def test_one_that_failed_does_not_spoil_the_clock_of_the_next(slow: Database) -> None:
    with capture_logs() as lines, slow.read() as session:
        with pytest.raises(Exception, match="division by zero"):
            session.execute(text("SELECT pg_sleep(0.06), 1 / 0 FROM generate_series(1, 1)"))
        session.rollback()
        session.execute(text("SELECT 1"))
    assert [one for one in lines if one["event"] == "a slow statement"] == []


@pytest.mark.parametrize("role", ["mindgraph_user", "mindgraph_owner"])
def test_the_server_logs_no_slow_statement_of_the_service(
    settings: Settings, servers: Servers, role: str
) -> None:
    with superuser(servers, settings.database_name) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT unnest(rolconfig) FROM pg_roles WHERE rolname = %s", (role,))
        kept = {row[0] for row in cursor.fetchall()}
    assert {"log_min_duration_statement=-1", "log_min_error_statement=panic"} <= kept
