"""The history of the schema, one for both engines."""

from functools import cache
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from app.db import registry

FOLDER = Path(__file__).parent


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for `connection` where a command needs one."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


@cache
def head() -> str:
    """The revision that this code needs."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise RuntimeError(f"no migrations in {FOLDER}")
    return revision


@cache
def known() -> frozenset[str]:
    """Every revision that this code can reach or come from."""
    script = ScriptDirectory.from_config(config())
    return frozenset(one.revision for one in script.walk_revisions())


def is_newer(revision: str | None) -> bool:
    """Whether a later release made this schema.

    A migration lets the previous release run, so that going back is starting the old image; what
    this code doesn't know is therefore good enough for it.
    """
    return revision is not None and revision not in known()


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None for a database without a schema."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def pending(revision: str | None) -> list[str]:
    """What is to be applied to a database at `revision`, in order."""
    script = ScriptDirectory.from_config(config())
    return [one.revision for one in script.iterate_revisions("head", revision or "base")][::-1]


def differences(connection: Connection) -> list[str]:
    """How the database's schema differs from the models, a line each; empty when it doesn't."""
    on_postgresql = connection.dialect.name == "postgresql"

    def is_of_the_engine(thing: Any, _name: str | None, kind: str, *_: object) -> bool:
        # SQLite has no GIN; Alembic doesn't look at an index's `ddl_if`.
        only_postgresql = kind == "index" and thing.dialect_options["postgresql"]["using"] == "gin"
        return on_postgresql or not only_postgresql

    def is_looked_at(name: str | None, kind: str, _parents: object) -> bool:
        # A file holds more than the models': the tables of its full-text index, and those that were
        # kept from an older file, which on PostgreSQL are in a schema of their own. So a table that
        # no model describes any more is found there alone.
        return on_postgresql or kind != "table" or name in registry.metadata.tables

    options = {
        "compare_type": True,
        "include_name": is_looked_at,
        "include_object": is_of_the_engine,
    }
    context = MigrationContext.configure(connection, opts=options)
    return [_line(change) for change in compare_metadata(context, registry.metadata)]


def _line(change: object) -> str:
    if isinstance(change, list):
        return "; ".join(_line(part) for part in change)
    if isinstance(change, tuple):
        return " ".join(str(part) for part in change if part is not None)
    return str(change)
