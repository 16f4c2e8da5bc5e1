import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from app.db import engine as engines
from app.db import migrations
from app.db.init import init_db
from app.settings import Settings

SCRIPTS = ScriptDirectory.from_config(migrations.config())
# From the oldest to the newest.
HISTORY = [script.revision for script in SCRIPTS.walk_revisions()][::-1]
FILES = sorted((migrations.FOLDER / "versions").glob("*.py"))


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """As the owner, in the way of init_db."""
    engine: Engine = engines.build_direct(settings, name="test")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(migrations.config(connection), revision)
    connection.commit()


def downgrade(connection: Connection, revision: str) -> None:
    command.downgrade(migrations.config(connection), revision)
    connection.commit()


def everything(connection: Connection) -> list[object]:
    """Tables with their columns, indexes and constraints, as the engine describes them."""
    found = inspect(connection)
    described: list[object] = []
    for table in sorted(found.get_table_names()):
        described += [
            table,
            [(one["name"], str(one["type"]), one["nullable"]) for one in found.get_columns(table)],
            sorted((str(one["name"]), one["column_names"]) for one in found.get_indexes(table)),
            sorted(str(one["name"]) for one in found.get_unique_constraints(table)),
            sorted(str(one["name"]) for one in found.get_check_constraints(table)),
            sorted(str(one["name"]) for one in found.get_foreign_keys(table)),
            found.get_pk_constraint(table)["name"],
        ]
    return described


def test_the_history_is_one_line_with_one_head() -> None:
    assert SCRIPTS.get_heads() == [migrations.head()]
    assert SCRIPTS.get_bases() == HISTORY[:1]
    for script in SCRIPTS.walk_revisions():
        assert not script.is_merge_point
        assert not script.is_branch_point


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_migration_is_named_by_its_revision_and_has_a_way_back(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert functions.keys() >= {"upgrade", "downgrade"}
    for function in functions.values():
        assert not all(isinstance(node, ast.Pass) for node in function.body), function.name
    assert ast.get_docstring(tree)
    assert file.stem.split("_")[0] in HISTORY


def test_up_down_and_up_again_is_the_schema_of_the_models(empty: Settings) -> None:
    with connected(empty) as connection:
        upgrade(connection, "head")
        assert migrations.differences(connection) == []
        first = everything(connection)
        downgrade(connection, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        upgrade(connection, "head")
        assert migrations.differences(connection) == []
        assert everything(connection) == first


@pytest.mark.parametrize("revision", HISTORY)
def test_each_step_can_be_taken_back_and_again(empty: Settings, revision: str) -> None:
    with connected(empty) as connection:
        upgrade(connection, revision)
        first = everything(connection)
        downgrade(connection, "-1")
        assert everything(connection) != first
        upgrade(connection, revision)
        assert everything(connection) == first
        assert migrations.current(connection) == revision


def test_it_may_be_taken_back_with_people_and_diagrams_in_it(settings: Settings) -> None:
    with connected(settings) as connection:
        connection.exec_driver_sql(
            "INSERT INTO diagrams (id, user_id, title, diagram_type, language, spec, created_at,"
            " updated_at) VALUES ('1', 1, 't', 'mind_map', 'zh', '{}', CURRENT_TIMESTAMP,"
            " CURRENT_TIMESTAMP)"
        )
        connection.commit()
        downgrade(connection, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    assert init_db(settings).organizations == 4


def test_both_engines_get_the_same_names(empty: Settings) -> None:
    with connected(empty) as connection:
        upgrade(connection, "head")
        found = inspect(connection)
        names = {
            str(one["name"])
            for table in found.get_table_names()
            for one in (
                *found.get_indexes(table),
                *found.get_unique_constraints(table),
                *found.get_check_constraints(table),
                *found.get_foreign_keys(table),
            )
        }
    assert {
        "ck_users_role",
        "fk_diagrams_user_id_users",
        "fk_users_organization_id_organizations",
        "ix_diagrams_trash",
        "ix_diagrams_owned",
        "ix_users_organization_id",
        "uq_organizations_code",
        "uq_organizations_invitation_code",
        "uq_users_phone",
    } <= names


def test_a_difference_is_named(empty: Settings) -> None:
    with connected(empty) as connection:
        upgrade(connection, "head")
        connection.exec_driver_sql("DROP INDEX ix_diagrams_trash")
        connection.exec_driver_sql("ALTER TABLE users ADD COLUMN stray TEXT")
        connection.commit()
        differences = migrations.differences(connection)
    assert len(differences) == 2
    assert any("ix_diagrams_trash" in line for line in differences)
    assert any("stray" in line for line in differences)
