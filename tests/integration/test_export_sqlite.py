"""The way back: the database of PostgreSQL as a new SQLite file."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.admin.models import AuditEvent
from app.db import engine, migrations, registry
from app.db.init import init_db
from app.db.session import Database
from app.ops.migrate import export_tables
from app.ops.migrate.export import export
from app.settings import Settings
from app.users.models import User
from tests.databases import on_postgresql
from tests.exports import MOMENTS, embedded, everything, query
from tests.sources import state

pytestmark = on_postgresql


@pytest.fixture
def full(settings: Settings, database: Database) -> Settings:
    with database.begin() as session:
        for one in everything():
            session.add(one)
            # Parents come first.
            session.flush()
    return settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "new 文件").mkdir()
    # No part of it may be read as that of an address.
    return tmp_path / "new 文件" / "mind?graph#%20.db"


@pytest.fixture
def moved(full: Settings, file: Path) -> Iterator[Database]:
    """The service's database on the file that was made."""
    export(full, file)
    there = embedded(full, file)
    assert not init_db(there).changed
    made = Database(engine.build(there, name="test", threads=1))
    yield made
    made.close()


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that the service reads, in its own types."""
    with database.read() as session:
        return {
            name: [
                tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for name, table in registry.metadata.tables.items()
            if name not in export_tables.REMADE
        }


def test_the_service_reads_the_very_same_rows(moved: Database, database: Database) -> None:
    there, here = rows(moved), rows(database)
    assert there == here
    assert all(there.values()), "every table has rows"


def test_every_value_is_stored_as_the_service_stores_it(
    moved: Database, settings: Settings
) -> None:
    """Written anew by the service itself, the same rows look the same to SQLite."""
    native = Settings(data_dir=settings.data_dir / "native", environment="test", seed_demo=False)
    init_db(native)
    written = Database(engine.build(native, name="test", threads=1))
    try:
        # Parents first, as the tables are sorted.
        for table in registry.metadata.sorted_tables:
            if table.name in export_tables.REMADE:
                continue
            with moved.read() as session:
                copied = [row._asdict() for row in session.execute(select(table))]
            for row in copied:
                # What is read of terms is the text that they are stored as.
                row.update({one: terms_of(row[one]) for one in row.keys() & {"terms"}})
            with written.begin() as session:
                session.execute(table.insert(), copied)
        for name, table in registry.metadata.tables.items():
            # JSON is the same to its readers, with other spaces.
            columns = [
                f'typeof("{one.name}"), {"NULL" if "JSON" in str(one.type) else one.name}'
                for one in table.columns
            ]
            statement = text(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 2")
            with moved.read() as there, written.read() as here:
                assert there.execute(statement).all() == here.execute(statement).all()
    finally:
        written.close()


def terms_of(stored: str) -> list[str]:
    quoted = stored.removeprefix("'").removesuffix("'").split("' '")
    return [one.replace("''", "'").replace("\\\\", "\\") for one in quoted]


def test_one_file_is_left_that_only_its_owner_reads(full: Settings, file: Path) -> None:
    done = export(full, file)
    assert list(state(file.parent)) == [file.name]
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.bytes == file.stat().st_size
    assert query(file, "PRAGMA journal_mode") == [("delete",)]
    counts = {one.name: one.rows for one in done.tables}
    assert (counts["users"], counts["diagrams"], counts["token_usage"]) == (4, 4, 2)
    assert "diagram_texts" not in counts


def test_the_schema_is_the_models_and_all_indexes_are_there(moved: Database) -> None:
    with moved.engine.connect() as connection:
        assert migrations.differences(connection) == []
        assert connection.scalar(text("SELECT count(*) FROM sqlite_stat1"))


def test_an_id_that_was_given_out_and_deleted_is_not_given_again(
    settings: Settings, database: Database, file: Path
) -> None:
    with database.begin() as session:
        gone = [
            User(login=f"u{at}", password_hash="", created_at=MOMENTS[0], role="user")
            for at in range(3)
        ]
        session.add_all(gone)
        session.flush()
        highest = max(one.id for one in gone)
        for one in gone:
            session.delete(one)
    export(settings, file)
    there = Database(engine.build(embedded(settings, file), name="test", threads=1))
    with there.begin() as session:
        new = User(login="new", password_hash="", created_at=MOMENTS[0], role="user")
        session.add(new)
        session.flush()
        assert new.id == highest + 1
        assert session.scalar(select(func.max(User.id))) == new.id
    there.close()


def test_what_is_committed_meanwhile_is_not_half_there(
    full: Settings, database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = export_tables.plan

    def plan_slowly(*given: Any) -> Any:
        made = plan(*given)
        with database.begin() as session:
            new = User(login="late", password_hash="", created_at=MOMENTS[0], role="user")
            session.add(new)
            session.flush()
            session.add(
                AuditEvent(
                    at=MOMENTS[0],
                    actor_id=new.id,
                    actor="late",
                    action="a",
                    target_type="t",
                    target_id="1",
                    details={},
                )
            )
        return made

    monkeypatch.setattr(export_tables, "plan", plan_slowly)
    export(full, file)
    assert query(file, "SELECT count(*) FROM users WHERE phone = 'late'") == [(0,)]
    assert query(file, "SELECT count(*) FROM audit_events WHERE actor = 'late'") == [(0,)]


def test_the_file_may_be_named_from_the_present_folder(
    full: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    export(full, Path("new.db"))
    assert [one.name for one in file.parent.iterdir()] == ["new.db"]


def test_another_database_is_named_by_its_address(full: Settings, file: Path) -> None:
    address = engine.url(full, owner=True).render_as_string(hide_password=False)
    elsewhere = full.model_copy(update={"database_host": None})
    export(elsewhere, file, address=address.replace("postgresql+psycopg2", "postgresql"))
    assert query(file, "SELECT count(*) FROM diagrams") == [(4,)]
