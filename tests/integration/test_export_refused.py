"""Why there may be no SQLite file of a database, each time in a sentence and with nothing left."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.db.errors import DiskFull
from app.db.imports import ImportUnfinished
from app.db.init import SchemaDiffers
from app.db.session import Database
from app.errors import AppError, Unavailable
from app.ops.migrate import export_files
from app.ops.migrate.export import NoServer, export
from app.ops.migrate.export_files import FileTaken, FolderUnwritable
from app.ops.migrate.export_tables import Unexportable
from app.settings import Settings
from tests import exports
from tests.databases import on_postgresql
from tests.exports import everything, execute
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
def with_legacy(settings: Settings) -> Settings:
    exports.keep(settings)
    return settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    return tmp_path / "new" / "mindgraph.db"


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
