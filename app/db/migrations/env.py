"""Alembic runs this for each command. The connection comes from the caller, never from a file."""

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from app.db import registry, sqlite

connection: Connection = context.config.attributes["connection"]
on_sqlite = connection.dialect.name == "sqlite"


def check_step(ctx: MigrationContext, *_: object, **__: object) -> None:
    # Within the step's transaction, so that a step which breaks a reference is undone.
    if on_sqlite and ctx.connection:
        sqlite.check_foreign_keys(ctx.connection)


if on_sqlite:
    sqlite.prepare_for_migrations(connection)
context.configure(
    connection=connection,
    target_metadata=registry.metadata,
    compare_type=True,
    # SQLite can't alter most things in place; a batch copies the table.
    render_as_batch=on_sqlite,
    transaction_per_migration=True,
    # True of both engines; Alembic doesn't expect it of SQLite.
    transactional_ddl=True,
    on_version_apply=check_step,
)
with context.begin_transaction():
    context.run_migrations()
