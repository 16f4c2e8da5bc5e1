"""A database whose schema is of another release, or of nobody's."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from app.db import migrations
from app.db.init import SchemaDiffers, require_head
from app.settings import Settings
from tests import commands
from tests.migrations.schemas import connected, execute, tables

OLDER = sorted(
    one.revision
    for one in ScriptDirectory.from_config(migrations.config()).walk_revisions()
    if not one.is_head
)


def test_a_schema_of_a_newer_release_is_accepted_with_a_warning(settings: Settings) -> None:
    execute(
        settings,
        "CREATE TABLE followers (id INTEGER)",
        "UPDATE alembic_version SET version_num = '9999_newer'",
    )
    before = tables(settings)
    done = commands.run("init-db", environ=commands.environment_of(settings))
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stdout.splitlines() if "warning" in line]
    assert "a newer release has prepared the database" in warning
    assert "9999_newer" in warning
    assert tables(settings) == before
    with connected(settings) as connection:
        assert require_head(connection) == "9999_newer"


@pytest.mark.parametrize("revision", [None, *OLDER])
def test_an_older_schema_is_not_enough(empty: Settings, revision: str | None) -> None:
    with connected(empty) as connection:
        if revision:
            command.upgrade(migrations.config(connection), revision)
        wanted = rf"at revision {revision or 'none'}.*needs {migrations.head()}.*init-db"
        with pytest.raises(SchemaDiffers, match=wanted):
            require_head(connection)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE users ADD COLUMN nickname VARCHAR(20)", "nickname"),
        ("DROP INDEX ix_diagrams_owned", "ix_diagrams_owned"),
    ],
    ids=["extra column", "missing index"],
)
def test_the_command_names_what_was_changed_by_hand(
    settings: Settings, change: str, named: str
) -> None:
    # Without organizations there is work to do, and after work the schema is compared.
    execute(settings, change, "DELETE FROM users", "DELETE FROM organizations")
    done = commands.run("init-db", environ=commands.environment_of(settings))
    assert done.returncode == 1
    assert "the schema differs from this release's models" in done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
