import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import exc, select, text
from sqlalchemy.orm import Session

from app import clock
from app.db import engine, pool
from app.db.session import Database, DatabaseBusy, DatabaseUnavailable
from app.errors import Conflict
from app.organizations.models import Organization
from app.settings import Settings
from app.users.models import User
from tests.databases import on_postgresql, on_sqlite
from tests.people import ALICE


class Oops(Exception):
    pass


@contextmanager
def database_of(settings: Settings, threads: int = 1, **changes: object) -> Iterator[Database]:
    made = Database(engine.build(settings.model_copy(update=changes), name="test", threads=threads))
    try:
        yield made
    finally:
        made.close()


def an_organization(code: str) -> Organization:
    return Organization(code=code, name="学校", invitation_code=None, created_at=clock.now())


def codes(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(Organization.code)))


def test_what_begin_changed_is_there_for_others(database: Database) -> None:
    with database.begin() as session:
        session.add(an_organization("new"))
    assert "new" in codes(database)


def test_what_begin_changed_before_an_error_is_not(database: Database) -> None:
    def fail(session: Session) -> None:
        session.add(an_organization("new"))
        session.flush()
        raise Oops

    with pytest.raises(Oops), database.begin() as session:
        fail(session)
    assert "new" not in codes(database)


def test_a_read_may_change_nothing(database: Database) -> None:
    change = "UPDATE organizations SET code = 'new' WHERE code = 'DEMO-001'"
    with pytest.raises(AssertionError, match="may change nothing"), database.read() as session:
        session.execute(text(change))
    with database.read() as session:
        session.add(an_organization("newer"))
        with pytest.raises(AssertionError, match="may change nothing"):
            session.flush()
    with database.read() as session:
        session.add(an_organization("newest"))
    assert not codes(database) & {"new", "newer", "newest"}


@on_postgresql
def test_a_read_is_one_round_trip(database: Database, settings: Settings) -> None:
    """Neither a BEGIN before it nor a ROLLBACK after it."""
    with database.read() as session:
        session.execute(select(Organization.code))
        with database_of(settings) as other, other.read() as looking:
            states = looking.scalars(
                text(
                    "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
                    "AND query LIKE '%organizations%' AND pid <> pg_backend_pid()"
                )
            )
            assert [*states] == ["idle"]


def test_an_object_may_be_read_after_the_block(database: Database) -> None:
    with database.begin() as session:
        made = an_organization("new")
        session.add(made)
    assert made.id > 0
    assert made.code == "new"


def test_a_violated_constraint_is_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict), database.begin() as session:
        session.add(an_organization("DEMO-001"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET organization_id = 4711",
        "UPDATE users SET role = 'king'",
        "UPDATE users SET phone = NULL",
        f"DELETE FROM organizations WHERE id = (SELECT organization_id FROM users "
        f"WHERE id = {ALICE.id})",
    ],
)
def test_both_engines_check_the_constraints(database: Database, change: str) -> None:
    with pytest.raises(Conflict), database.begin() as session:
        session.execute(text(change))


def test_a_bug_in_a_statement_is_not_dressed_up(database: Database) -> None:
    with pytest.raises(exc.DBAPIError), database.begin() as session:
        session.execute(text("SELECT no_such_function()"))


def test_a_relationship_or_column_is_not_loaded_in_silence(database: Database) -> None:
    with database.read() as session:
        user = session.get(User, ALICE.id)
    assert user
    assert user.login == ALICE.login


@on_postgresql
def test_a_pool_that_stays_empty_is_busy(settings: Settings) -> None:
    with (
        database_of(settings, database_pool_timeout_s=0.05) as database,
        database.read() as session,
    ):
        session.connection()
        with pytest.raises(DatabaseBusy), database.read() as second:
            second.connection()


@on_postgresql
def test_a_server_that_is_not_there_is_unavailable(settings: Settings, closed_port: int) -> None:
    with (
        database_of(settings, database_port=closed_port) as database,
        pytest.raises(DatabaseUnavailable),
        database.read() as session,
    ):
        session.connection()


@on_postgresql
def test_a_connection_that_was_cut_fails_once_and_is_then_replaced(settings: Settings) -> None:
    with database_of(settings) as database:
        with pytest.raises(DatabaseUnavailable), database.begin() as session:
            _end_oneself(session)
        assert "DEMO-001" in codes(database)


@on_postgresql
def test_an_idle_connection_that_was_cut_is_not_noticed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "FRESH_S", 0.0)
    with database_of(settings) as database:
        with database.read() as session:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
        _cut(settings, pid)
        assert "DEMO-001" in codes(database)


@on_postgresql
def test_only_a_connection_that_was_idle_is_asked_whether_it_lives(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    with database_of(settings) as database:
        ask = database.engine.dialect.do_ping

        def do_ping(connection: Any) -> bool:
            asked.append(connection)
            return ask(connection)

        monkeypatch.setattr(database.engine.dialect, "do_ping", do_ping)
        for _ in range(3):
            codes(database)
        assert asked == []
        monkeypatch.setattr(pool, "FRESH_S", 0.0)
        codes(database)
        assert len(asked) == 1


@on_postgresql
def test_a_statement_that_takes_too_long_is_ended(settings: Settings) -> None:
    with (
        database_of(settings, database_statement_timeout_ms=100) as database,
        pytest.raises(DatabaseUnavailable),
        database.read() as session,
    ):
        session.execute(text("SELECT pg_sleep(30)"))


@on_postgresql
def test_a_lock_is_not_waited_for_forever(settings: Settings) -> None:
    change = text("UPDATE organizations SET name = 'x' WHERE code = 'DEMO-001'")
    with (
        database_of(settings, threads=2, database_lock_timeout_ms=100) as database,
        database.begin() as first,
    ):
        first.execute(change)
        with pytest.raises(DatabaseUnavailable), database.begin() as second:
            second.execute(change)


@on_postgresql
def test_every_connection_has_its_limits_and_name(settings: Settings) -> None:
    wanted = {
        "application_name": "mindgraph-test",
        "idle_in_transaction_session_timeout": "1min",
        "lock_timeout": "5s",
        "statement_timeout": "30s",
        "TimeZone": "UTC",
    }
    with database_of(settings) as database, database.read() as session:
        assert {name: session.scalar(text(f"SHOW {name}")) for name in wanted} == wanted


def test_a_moment_comes_back_as_the_same_moment_in_utc(database: Database) -> None:
    moment = datetime(2025, 3, 9, 23, 59, 59, 999_999, timezone(timedelta(hours=8)))
    with database.begin() as session:
        made = an_organization("new")
        made.expires_at = moment
        session.add(made)
    with database.read() as session:
        found = session.scalar(select(Organization.expires_at).where(Organization.code == "new"))
    assert found == moment
    assert found.utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    made = an_organization("new")
    made.created_at = datetime(2025, 1, 1)  # noqa: DTZ001
    with pytest.raises(exc.StatementError, match="time zone"), database.begin() as session:
        session.add(made)


def test_writers_at_the_same_time_lose_no_change(settings: Settings) -> None:
    failures: list[Exception] = []

    def work(database: Database) -> None:
        try:
            for _ in range(10):
                with database.begin() as session:
                    # Reads first: the case in which SQLite fails without waiting.
                    one = session.get(Organization, 1, with_for_update=True)
                    assert one
                    one.name = str(int(one.name) + 1)
        except Exception as error:
            failures.append(error)

    with database_of(settings, threads=4) as database:
        with database.begin() as session:
            session.execute(text("UPDATE organizations SET name = '0' WHERE id = 1"))
        threads = [threading.Thread(target=work, args=(database,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with database.read() as session:
            assert session.scalar(select(Organization.name).where(Organization.id == 1)) == "40"


@on_sqlite
def test_sqlite_is_set_up_on_every_connection(settings: Settings) -> None:
    wanted = {"busy_timeout": 10_000, "foreign_keys": 1, "journal_mode": "wal", "synchronous": 2}
    with (
        database_of(settings) as database,
        database.read() as first,
        database.read() as second,
    ):
        for session in (first, second):
            found = {name: session.scalar(text(f"PRAGMA {name}")) for name in wanted}
            assert found == wanted


@on_sqlite
def test_readers_of_sqlite_do_not_wait_for_a_writer(settings: Settings) -> None:
    with database_of(settings) as database, database.begin() as writing:
        writing.execute(text("UPDATE organizations SET code = 'new' WHERE code = 'DEMO-001'"))
        assert "DEMO-001" in codes(database)


@on_sqlite
def test_a_writer_of_sqlite_waits_for_its_turn(settings: Settings) -> None:
    order: list[str] = []
    begun = threading.Event()

    def write() -> None:
        begun.set()
        with database.begin() as session:
            session.execute(text("UPDATE organizations SET name = 'second' WHERE id = 1"))
            order.append("second")

    with database_of(settings) as database:
        with database.begin() as session:
            session.execute(text("UPDATE organizations SET name = 'first' WHERE id = 1"))
            thread = threading.Thread(target=write)
            thread.start()
            begun.wait()
            order.append("first")
        thread.join()
        with database.read() as session:
            name = session.scalar(select(Organization.name).where(Organization.id == 1))
    assert order == ["first", "second"]
    assert name == "second"


def _end_oneself(session: Session) -> None:
    session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


def _cut(settings: Settings, pid: int | None) -> None:
    with database_of(settings) as other, other.read() as session:
        # One's own connections may be ended by their owner; 5000 ms to be gone.
        assert session.scalar(text(f"SELECT pg_terminate_backend({pid}, 5000)"))


def test_an_error_tells_no_hash_of_a_password(database: Database) -> None:
    """Its text goes into the log, and with it the statement, but not the values."""
    secret = "$argon2id$v=19$a-hash"
    with pytest.raises(Conflict) as caught, database.begin() as session:
        session.add(User(login="eve", password_hash=secret, role="nobody", created_at=clock.now()))
    assert "INSERT INTO users" in str(caught.value.__cause__)
    statement, *_ = str(caught.value.__cause__).split("[SQL", 1)[1:]
    assert secret not in statement
