"""Looks at a database's schema, and changes it, as the owner does by hand."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, text

from app.db import engine as engines
from app.db import migrations
from app.settings import Settings


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """A connection as the owner; what the block did is kept."""
    engine = engines.build_direct(settings, name="test")
    try:
        with engine.connect() as connection:
            yield connection
            connection.commit()
    finally:
        engine.dispose()


def execute(settings: Settings, *statements: str) -> None:
    with connected(settings) as connection:
        for statement in statements:
            connection.execute(text(statement))


def differences(settings: Settings) -> list[str]:
    with connected(settings) as connection:
        return migrations.differences(connection)


def tables(settings: Settings) -> set[str]:
    with connected(settings) as connection:
        return set(inspect(connection).get_table_names())
