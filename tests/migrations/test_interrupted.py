"""A later migration on a database in use. It stands here, in a copy of the history."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db import migrations
from app.settings import Settings
from tests import commands
from tests.migrations.schemas import connected, differences, execute, tables
from tests.places import CHECKOUT

# init_db on the history in another folder.
ELSEWHERE = """
import sys
from pathlib import Path
from app import settings
from app.db import migrations
from app.db.init import SchemaDiffers, init_db

migrations.FOLDER = Path(sys.argv[1])
try:
    init_db(settings.load())
except SchemaDiffers:
    pass
"""
# Both engines do it in their own way: SQLite copies the table, PostgreSQL alters it.
LATER = """
import os, signal
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{head}"

def upgrade():
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("nickname", sa.String(20), server_default="x", nullable=False))
        users.alter_column("name", type_=sa.String(150))
    op.create_table("followers", sa.Column("id", sa.Integer(), primary_key=True))
    {last}

def downgrade():
    op.drop_table("followers")
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
DIAGRAM = (
    "INSERT INTO diagrams"
    " (id, user_id, title, diagram_type, language, spec, created_at, updated_at)"
    " VALUES ('d-1', 1, '导图', 'mindmap', 'zh', '{}', '2025-01-01 08:00', '2025-01-01 08:00')"
)


@pytest.fixture
def in_use(settings: Settings) -> Settings:
    execute(settings, DIAGRAM)
    return settings


def migrate(settings: Settings, folder: Path, last: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(migrations.FOLDER, folder)
    later = LATER.format(head=migrations.head(), last=last)
    (folder / "versions" / "later.py").write_text(later)
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(folder)],
        env=commands.environment_of(settings),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def rows(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    with connected(settings) as connection:
        return {
            table: sorted(tuple(row) for row in connection.execute(text(statement)))
            for table, statement in (
                ("diagrams", "SELECT id, user_id, title FROM diagrams"),
                ("organizations", "SELECT id, code, name FROM organizations"),
                ("users", "SELECT id, phone, name, password_hash FROM users"),
            )
        }


def test_a_migration_that_was_killed_leaves_the_old_schema_whole(
    in_use: Settings, tmp_path: Path
) -> None:
    before = rows(in_use)
    killed = migrate(in_use, tmp_path / "history", KILL)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert differences(in_use) == []
    assert rows(in_use) == before
    with connected(in_use) as connection:
        assert migrations.current(connection) == migrations.head()
        if connection.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_migration_that_breaks_a_reference_is_undone(in_use: Settings, tmp_path: Path) -> None:
    before = rows(in_use)
    done = migrate(in_use, tmp_path / "history", 'op.execute("DELETE FROM users")')
    assert done.returncode == 1
    assert "refer to rows that are missing" in done.stderr
    assert differences(in_use) == []
    assert rows(in_use) == before


def test_a_migration_of_a_table_that_others_refer_to_keeps_every_row(
    in_use: Settings, tmp_path: Path
) -> None:
    before = rows(in_use)
    done = migrate(in_use, tmp_path / "history", "pass")
    assert done.returncode == 0, done.stderr
    assert "followers" in tables(in_use)
    assert rows(in_use) == before
    with connected(in_use) as connection:
        assert set(connection.scalars(text("SELECT nickname FROM users"))) == {"x"}
        if connection.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
