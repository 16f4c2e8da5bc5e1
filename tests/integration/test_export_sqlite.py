"""The way back: the database of PostgreSQL as a new SQLite file."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text

from app.admin.models import AuditEvent
from app.auth.models import ApiKey, PasswordReset
from app.db import engine, migrations, registry
from app.db.errors import DiskFull
from app.db.imports import ImportUnfinished
from app.db.init import SchemaDiffers, init_db
from app.db.session import Database
from app.diagrams.models import Diagram, DiagramVersion
from app.errors import AppError, Unavailable
from app.ops.migrate import export_files, export_tables
from app.ops.migrate.export import Exported, NoServer, export
from app.ops.migrate.export_files import FileTaken, FolderUnwritable
from app.ops.migrate.export_tables import Unexportable
from app.settings import Settings
from app.users.models import User
from tests import usage
from tests.databases import on_postgresql
from tests.people import ALICE, BOB
from tests.sources import state

pytestmark = on_postgresql

# To the microsecond, in a year when PostgreSQL's count is negative, and at the ends of the calendar.
MOMENTS = (
    datetime(2026, 10, 26, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1999, 12, 31, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
)
SPEC: dict[str, Any] = {
    "topic": '水 👩‍🏫 "quoted" \\ back\nslash\ttab \u2028',
    "children": [{"text": "é", "n": 0.1}, {"big": 2**70, "none": None, "yes": True}],
}


def everything() -> list[Any]:
    """Rows of every table, with each of their columns filled at least once, and empty at least once."""
    moment = MOMENTS[0]
    large = {"topic": "large", "children": [{"text": "很长 " * 200_000}]}
    diagrams = [
        Diagram(
            id=f"d-{at}",
            user_id=ALICE.id,
            title=f"标题 {at} 👨‍👩‍👧",
            diagram_type="mind_map",
            language="en",
            spec=large if at == 3 else SPEC,
            thumbnail="data:image/png;base64,AA==" if at else None,
            is_pinned=at == 1,
            is_deleted=at == 2,
            version=at + 1,
            created_at=one,
            updated_at=moment,
        )
        for at, one in enumerate(MOMENTS)
    ]
    key = ApiKey(
        key_hash="a" * 64,
        prefix="mg_1234567",
        name="",
        description="说明",
        user_id=None,
        organization_id=usage.SCHOOL,
        scopes="usage:write",
        quota_limit=0,
        usage_count=2**31 - 1,
        is_active=False,
        created_at=moment,
    )
    of_nobody = {"actor": "gone", "action": "delete", "target_type": "user", "target_id": "9"}
    return [
        *diagrams,
        key,
        PasswordReset(user_id=BOB.id, token_hash="b" * 64, created_at=moment, expires_at=moment),
        DiagramVersion(
            diagram_id="d-1",
            version=1,
            title="",
            diagram_type="mind_map",
            language="zh",
            spec=SPEC,
            saved_at=moment,
        ),
        AuditEvent(at=moment, actor_id=None, details={}, **of_nobody),
        AuditEvent(at=moment, actor_id=ALICE.id, details={"a": [1]}, address="::1", **of_nobody),
        usage.row(moment, input_cost=0.1, output_cost=-0.0, total_cost=1e300, success=False),
        usage.row(MOMENTS[1], event_id="e-1", response_time=5e-324, model_name="模型"),
    ]


@pytest.fixture
def full(settings: Settings, database: Database) -> Settings:
    with database.begin() as session:
        session.add_all(everything())
    return settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "new 文件").mkdir()
    # No part of it may be read as that of an address.
    return tmp_path / "new 文件" / "mind?graph#%20.db"


def execute(settings: Settings, *statements: str) -> None:
    """As the owner."""
    direct = engine.build_direct(settings, name="test")
    with direct.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    direct.dispose()


def query(file: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def embedded(settings: Settings, file: Path) -> Settings:
    """Settings of a service that runs on the file."""
    folder = file.parent / "data"
    folder.mkdir()
    file.rename(folder / "mindgraph.db")
    return settings.model_copy(update={"data_dir": folder, "database_host": None})


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


def tables_of(done: Exported) -> dict[str, tuple[str, int]]:
    return {one.name: (f"{one.schema}.{one.table}", one.rows) for one in done.tables}


# As an import leaves them. `odd` was there under a name that SQLite keeps for itself by now.
SPACES = (
    "CREATE TABLE Spaces (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER REFERENCES users (id),"
    " note VARCHAR(9) COLLATE NOCASE DEFAULT ';\n', made DATETIME, raw BLOB,"
    " twice INTEGER GENERATED ALWAYS AS (id * 2),"
    " FOREIGN KEY (user_id) REFERENCES nothing (id) ON DELETE CASCADE)"
)
BY_NOTE = "CREATE UNIQUE INDEX by_note ON Spaces (note) WHERE note <> ';\n'"
LEGACY = (
    "CREATE SCHEMA legacy",
    'CREATE TABLE legacy."Spaces" (id bigint PRIMARY KEY, user_id integer, note text,'
    " made timestamptz, raw bytea)",
    "INSERT INTO legacy.\"Spaces\" VALUES (7, 999, 'a', '2024-05-05 08:00:00.5+08', '\\x00ff'),"
    " (8, 1, NULL, NULL, NULL)",
    "CREATE TABLE legacy.users (id integer PRIMARY KEY, nickname text)",
    "INSERT INTO legacy.users VALUES (1, 'al')",
    "COMMENT ON TABLE legacy.users IS '-- columns of \"users\" that the target lacks'",
    "CREATE TABLE legacy.import_quarantine (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " source_key jsonb NOT NULL)",
    "INSERT INTO legacy.import_quarantine (source_key) VALUES ('{\"id\": 1}'), ('5')",
    "CREATE TABLE legacy.import_quarantine_values (quarantine_id bigint REFERENCES"
    " legacy.import_quarantine ON DELETE CASCADE, column_name text, value bytea,"
    " PRIMARY KEY (quarantine_id, column_name))",
    "INSERT INTO legacy.import_quarantine_values VALUES (1, 'x', '\\x00')",
    "CREATE TABLE legacy.plain (a smallint, b double precision, c numeric(50, 30), d uuid, e date,"
    " f real, g boolean, h bigint, i char(3), j text[], k time)",
    "INSERT INTO legacy.plain VALUES (-1, 'Infinity', 1.100000000000000000000000000001,"
    " '0f0e0d0c-0b0a-0908-0706-050403020100', '1999-12-31', 0.5, true, -9223372036854775808, 'ab',"
    " '{x,y}', '23:59:59.5')",
    "INSERT INTO legacy.plain VALUES (NULL)",
    "CREATE TABLE public.extra (n integer)",
    "CREATE TABLE legacy.extra (n integer)",
)


@pytest.fixture
def with_legacy(settings: Settings) -> Settings:
    execute(settings, *LEGACY)
    statement = f"{SPACES};\n{BY_NOTE};\nCREATE INDEX odd ON Spaces (of_its_program(note))"
    escaped = statement.replace("'", "''")
    execute(settings, f"COMMENT ON TABLE legacy.\"Spaces\" IS '{escaped}'".replace("%", "%%"))
    return settings


def test_tables_that_an_import_kept_come_back_under_their_own_name(
    with_legacy: Settings, file: Path
) -> None:
    done = export(with_legacy, file)
    assert tables_of(done)["Spaces"] == ("legacy.Spaces", 2)
    assert query(file, "SELECT * FROM Spaces ORDER BY id") == [
        (7, 999, "a", "2024-05-05 00:00:00.500000", b"\0\xff", 14),
        (8, 1, None, None, None, 16),
    ]
    made = dict(query(file, "SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'Spaces'"))
    assert made["by_note"] == BY_NOTE
    assert "note VARCHAR(9) COLLATE NOCASE DEFAULT ';\n'" in made["Spaces"]
    (remark,) = done.remarks
    assert "an index of Spaces could not be made (no such function: of_its_program)" in remark


def test_columns_and_quarantine_that_an_import_kept_have_the_name_that_leads_them_back(
    with_legacy: Settings, file: Path
) -> None:
    found = tables_of(export(with_legacy, file))
    assert found["legacy.users"] == ("legacy.users", 1)
    assert found["legacy.import_quarantine"] == ("legacy.import_quarantine", 2)
    assert found["legacy.import_quarantine_values"] == ("legacy.import_quarantine_values", 1)
    assert query(file, 'SELECT * FROM "legacy.users"') == [(1, "al")]
    assert query(file, 'SELECT * FROM "legacy.import_quarantine"') == [(1, '{"id": 1}'), (2, "5")]
    assert query(file, 'SELECT * FROM "legacy.import_quarantine_values"') == [(1, "x", b"\0")]


def test_a_table_without_a_statement_is_made_so_that_its_values_stay_as_they_are(
    with_legacy: Settings, file: Path
) -> None:
    export(with_legacy, file)
    assert query(file, "SELECT * FROM plain WHERE a = -1") == [
        (
            -1,
            float("inf"),
            "1.100000000000000000000000000001",
            "0f0e0d0c-0b0a-0908-0706-050403020100",
            "1999-12-31",
            0.5,
            1,
            -(2**63),
            "ab",
            "{x,y}",
            "23:59:59.5",
        )
    ]
    assert query(file, "SELECT count(*) FROM plain WHERE a IS NULL AND k IS NULL") == [(1,)]


def test_of_two_tables_with_one_name_the_kept_one_gets_the_other(
    with_legacy: Settings, file: Path
) -> None:
    found = tables_of(export(with_legacy, file))
    assert (found["extra"], found["legacy.extra"]) == (("public.extra", 0), ("legacy.extra", 0))


def test_the_service_accepts_a_file_with_kept_tables_and_may_delete_whom_they_name(
    with_legacy: Settings, file: Path
) -> None:
    export(with_legacy, file)
    there = embedded(with_legacy, file)
    report = init_db(there, thorough=True)
    assert report.verdict
    assert (report.changed, report.verdict.state, report.verdict.orphans) == (False, "clean", 0)
    made = Database(engine.build(there, name="test", threads=1))
    with made.engine.connect() as connection:
        assert migrations.differences(connection) == []
    with made.begin() as session:
        session.delete(session.get_one(User, 1))
    made.close()


def test_a_kept_table_that_is_a_models_table_by_now_gets_the_other_name(
    settings: Settings, file: Path
) -> None:
    execute(
        settings,
        "CREATE SCHEMA legacy",
        "CREATE TABLE legacy.diagrams (id text)",
        "COMMENT ON TABLE legacy.diagrams IS 'CREATE TABLE diagrams (id TEXT)'",
    )
    assert tables_of(export(settings, file))["legacy.diagrams"] == ("legacy.diagrams", 0)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "UPDATE users SET last_login = 'infinity' WHERE id = 1",
            "public.users.last_login: an inf",
        ),
        ("UPDATE users SET created_at = '0044-03-15 BC'", "public.users.created_at"),
        ("ALTER TABLE users ADD nickname text", "other columns than this release's: nickname"),
        ("CREATE TABLE bad AS SELECT 'NaN'::float8 AS n", "public.bad.n: NaN"),
        ("CREATE TABLE bad AS SELECT date '-infinity' AS n", "public.bad.n: an infinite date"),
        ('CREATE TABLE "legacy.Extra" (n int)', "is taken by another table"),
        ("UPDATE alembic_version SET version_num = '9999'", "a newer release"),
    ],
)
def test_what_a_file_can_not_hold_is_named_and_no_file_is_made(
    with_legacy: Settings, file: Path, statement: str, named: str
) -> None:
    execute(with_legacy, statement)
    with pytest.raises(Unexportable, match=named):
        export(with_legacy, file)
    assert list(file.parent.iterdir()) == []


def refused(settings: Settings, file: Path, error: type[AppError], words: str) -> None:
    before = state(file.parent)
    with pytest.raises(error, match=words):
        export(settings, file)
    assert state(file.parent) == before


@pytest.mark.parametrize("there", ["", "-wal", "-journal"])
def test_a_file_that_is_there_is_left_alone(settings: Settings, file: Path, there: str) -> None:
    file.with_name(f"{file.name}{there}").write_text("mine")
    refused(settings, file, FileTaken, "move it away")


def test_a_folder_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(FolderUnwritable, match="No such file"):
        export(settings, tmp_path / "nowhere" / "new.db")


def test_two_exports_do_not_write_one_file(settings: Settings, file: Path) -> None:
    with pytest.raises(FileTaken, match="another export"), export_files.making(file):
        export(settings, file)
    assert list(file.parent.iterdir()) == []


def test_a_full_disk_is_told_and_nothing_is_left(
    full: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite's own words for it, from a limit of its own.
    small = (*export_files.PRAGMAS, "max_page_count=120")
    monkeypatch.setattr(export_files, "PRAGMAS", small)
    refused(full, file, DiskFull, "is full")


def test_a_disk_without_its_reserve_is_told(settings: Settings, file: Path) -> None:
    little = settings.model_copy(update={"disk_reserve_mb": 1_000_000})
    refused(little, file, DiskFull, "DISK_RESERVE_MB")


def test_an_unfinished_import_is_not_exported(settings: Settings, file: Path) -> None:
    execute(settings, "CREATE SCHEMA legacy", "CREATE TABLE legacy.import_state (id integer)")
    refused(settings, file, ImportUnfinished, "--resume")


def test_a_database_without_a_schema_is_not_exported(empty: Settings, file: Path) -> None:
    refused(empty, file, SchemaDiffers, "run `mindgraph init-db`")


def test_the_app_s_role_alone_may_not_read_what_was_kept(with_legacy: Settings, file: Path) -> None:
    poor = with_legacy.model_copy(update={"database_owner_password": None})
    refused(poor, file, Unexportable, "use the owner's")


def test_a_server_that_does_not_answer_is_told(
    settings: Settings, file: Path, closed_port: int
) -> None:
    nowhere = settings.model_copy(update={"database_port": closed_port})
    refused(nowhere, file, Unavailable, "PostgreSQL failed: .*refused")


def test_another_database_is_named_by_its_address(full: Settings, file: Path) -> None:
    address = engine.url(full, owner=True).render_as_string(hide_password=False)
    elsewhere = full.model_copy(update={"database_host": None})
    export(elsewhere, file, address=address.replace("postgresql+psycopg2", "postgresql"))
    assert query(file, "SELECT count(*) FROM diagrams") == [(4,)]


@pytest.mark.parametrize(
    "address", ["sqlite:///some.db", "mysql://a/b", "nonsense", "postgresql://u@h:port/name", None]
)
def test_what_is_no_postgresql_is_refused(
    settings: Settings, file: Path, address: str | None
) -> None:
    embedded = settings.model_copy(update={"database_host": None, "database_url": None})
    with pytest.raises(NoServer, match="postgresql://"):
        export(embedded, file, address=address)


def test_a_secret_address_is_not_shown(settings: Settings, file: Path, closed_port: int) -> None:
    secret = SecretStr("hidden-word")
    address = f"postgresql://u:{secret.get_secret_value()}@127.0.0.1:{closed_port}/name"
    with pytest.raises(Unavailable) as failure:
        export(settings, file, address=address)
    assert secret.get_secret_value() not in failure.value.detail
