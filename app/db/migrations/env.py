"""Alembic runs this for each command. The connection comes from the caller, never from a file."""

from alembic import context

from app.db import registry

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=registry.metadata,
    compare_type=True,
    # SQLite can't alter most things in place; a batch copies the table.
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=True,
    # True of both engines; Alembic doesn't expect it of SQLite.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
