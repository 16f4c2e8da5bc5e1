"""What an import has kept in schema `legacy`, in a SQLite file again."""

from pathlib import Path

import pytest

from app.db import engine, migrations
from app.db.init import init_db
from app.db.session import Database
from app.ops.migrate.export import export
from app.settings import Settings
from app.users.models import User
from tests import exports
from tests.databases import on_postgresql
from tests.exports import BY_NOTE, embedded, execute, query, tables_of

pytestmark = on_postgresql


@pytest.fixture
def with_legacy(settings: Settings) -> Settings:
    exports.keep(settings)
    return settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    return tmp_path / "new" / "mindgraph.db"


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
            "0f0e0d0c0b0a09080706050403020100",
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
