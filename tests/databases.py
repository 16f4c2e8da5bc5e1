"""A database of its own for each test, copied from a template that was prepared once."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psycopg2.extensions
import pytest
from psycopg2 import sql
from sqlalchemy import text

from app.db.init import init_db
from app.db.session import Database
from app.settings import Settings
from tests import indexes, people
from tests.servers import HOST, Servers

on_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

Backend = Literal["postgresql", "sqlite"]

# What db/init makes: roles, extensions, privileges, no tables.
BARE = "template_bare"
# The same after `init_db`, with its seeds and the people.
READY = "template_ready"


def settings_of(servers: Servers, database: str, **changes: Any) -> Settings:
    """Settings for a PostgreSQL database of the run, for the service's own roles."""
    values: dict[str, Any] = {
        "database_host": HOST,
        "database_name": database,
        "database_owner_password": servers.owner_password,
        "database_password": servers.app_password,
        "database_port": servers.postgres_port,
        "environment": "test",
    }
    return Settings.model_validate(values | changes)


def prepare_templates(servers: Servers, folder: Path) -> None:
    with superuser(servers) as connection, connection.cursor() as cursor:
        for name in (BARE, READY):
            copy(cursor, "mindgraph", name)
    on_server = settings_of(servers, READY)
    in_file = Settings(data_dir=folder, environment="test")
    for settings in (on_server, in_file):
        init_db(settings)
        people.settle(settings)


@contextmanager
def superuser(
    servers: Servers, database: str = "postgres"
) -> Iterator[psycopg2.extensions.connection]:
    """A connection without transactions."""
    made = psycopg2.connect(
        host=HOST,
        port=servers.postgres_port,
        user="postgres",
        password=servers.superuser_password,
        dbname=database,
    )
    made.autocommit = True
    try:
        yield made
    finally:
        made.close()


@contextmanager
def on_server(servers: Servers, template: str) -> Iterator[str]:
    """The name of a new database; it is dropped after the block."""
    name = f"test_{secrets.token_hex(6)}"
    with superuser(servers) as connection, connection.cursor() as cursor:
        copy(cursor, template, name)
    try:
        yield name
    finally:
        with superuser(servers, name) as connection:
            indexes.note(connection)
        with superuser(servers) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def in_folder(templates: Path, folder: Path) -> None:
    """Puts a prepared SQLite database into a data folder."""
    folder.mkdir(exist_ok=True)
    shutil.copy(templates / "mindgraph.db", folder / "mindgraph.db")


def copy(cursor: Any, template: str, name: str) -> None:
    statement = "CREATE DATABASE {} TEMPLATE {} OWNER mindgraph_owner"
    cursor.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
    # A copy has the tables' privileges, but not the database's.
    statement = "REVOKE ALL ON DATABASE {} FROM PUBLIC"
    cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
    statement = (
        "GRANT CONNECT ON DATABASE {} TO mindgraph_user, mindgraph_readonly, mindgraph_backup"
    )
    cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def is_waiting(database: Database) -> bool:
    """Whether anybody waits for a lock in this database."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with database.read() as session:
        return bool(session.scalar(waiting))
