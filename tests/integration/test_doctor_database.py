"""What the doctor says of a PostgreSQL, of its schema and of the sum of connections."""

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import Connection, text

from app.db import engine, migrations
from app.db.session import Database
from app.ops.doctor import database as databases
from app.ops.doctor import postgresql
from app.settings import Settings
from tests.databases import on_postgresql, superuser
from tests.servers import HOST, Servers

pytestmark = on_postgresql


@pytest.fixture
def owner(settings: Settings) -> Iterator[Connection]:
    direct = engine.build_direct(settings, name="test")
    with direct.connect() as connection:
        yield connection
    direct.dispose()


def run(servers: Servers, settings: Settings, *statements: str) -> None:
    with superuser(servers, settings.database_name) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_a_sound_database_has_no_problem(settings: Settings) -> None:
    direct = engine.build_direct(settings, name="test")
    found = postgresql.examine(direct, production=False)
    direct.dispose()
    assert {one.check: one.status for one in found} == dict.fromkeys(
        ("collation", "index-bloat", "transactions", "archive"), "ok"
    )


def test_a_collation_of_another_version_is_told_with_the_commands_that_help(
    servers: Servers, settings: Settings, owner: Connection
) -> None:
    name = settings.database_name
    run(
        servers,
        settings,
        f"UPDATE pg_database SET datcollversion = '0.1' WHERE datname = '{name}'",
    )
    found = postgresql.collation(owner)
    assert found.status == "warning"
    assert "0.1 when the indexes were made" in found.seen
    commands = found.fix.partition(": ")[2]
    run(servers, settings, *commands.split("; "))
    assert postgresql.collation(owner).is_ok


def test_a_collation_of_a_column_is_looked_at_as_well(
    servers: Servers, settings: Settings, owner: Connection
) -> None:
    run(
        servers,
        settings,
        'CREATE TABLE sorted (word text COLLATE "en-x-icu")',
        "UPDATE pg_collation SET collversion = '0.1' WHERE collname = 'en-x-icu'",
    )
    found = postgresql.collation(owner)
    assert found.status == "warning"
    assert 'pg_catalog."en-x-icu" changed' in found.seen
    run(servers, settings, *found.fix.partition(": ")[2].rstrip(";").split("; "))
    assert postgresql.collation(owner).is_ok


def test_an_index_that_is_mostly_empty_is_told_and_its_command_mends_it(
    servers: Servers, settings: Settings, owner: Connection
) -> None:
    run(
        servers,
        settings,
        "CREATE TABLE bloated AS SELECT md5(i::text) AS word FROM generate_series(1, 50000) AS i",
        "CREATE INDEX ix_bloated ON bloated (word)",
        "ANALYZE bloated",
        "GRANT SELECT ON bloated TO mindgraph_owner",
    )
    assert postgresql.bloat(owner, least_mb=1).is_ok
    run(
        servers,
        settings,
        "DELETE FROM bloated WHERE word > '2'",
        "VACUUM bloated",
        "ANALYZE bloated",
    )
    found = postgresql.bloat(owner, least_mb=1)
    assert found.status == "warning"
    assert found.fix == "in `make psql`: REINDEX INDEX CONCURRENTLY ix_bloated;"
    assert postgresql.bloat(owner).is_ok, "less than is worth a word"
    owner.rollback()
    run(servers, settings, found.fix.partition(": ")[2])
    assert postgresql.bloat(owner, least_mb=1).is_ok


def test_a_transaction_of_any_role_that_is_open_for_long_is_told(
    servers: Servers, settings: Settings, owner: Connection
) -> None:
    assert postgresql.transactions(owner, longest_s=0).is_ok
    # Within a transaction the server shows what it has shown before.
    owner.rollback()
    reader = psycopg2.connect(
        host=HOST,
        port=servers.postgres_port,
        user="mindgraph_readonly",
        password=servers.readonly_password,
        dbname=settings.database_name,
    )
    with reader.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
        found = postgresql.transactions(owner, longest_s=0)
        assert found.status == "warning"
        assert "mindgraph_readonly (idle in transaction)" in found.seen
        assert found.fix == f"in `make psql`: SELECT pg_terminate_backend({pid});"
        assert postgresql.transactions(owner).is_ok, "it is not open for an hour"
    reader.close()


def test_a_database_that_archives_nothing_is_a_warning_in_production_alone(
    owner: Connection,
) -> None:
    assert postgresql.archive(owner, production=False).is_ok
    found = postgresql.archive(owner, production=True)
    assert found.status == "warning"
    assert "make up-prod" in found.fix


def test_who_can_not_connect_as_the_owner_is_told_so(settings: Settings, closed_port: int) -> None:
    elsewhere = settings.model_copy(update={"database_port": closed_port})
    direct = engine.build_direct(elsewhere, name="test")
    found = postgresql.examine(direct, production=False)
    direct.dispose()
    assert {one.status for one in found} == {"warning"}
    assert "refused" in found[0].seen


def test_pending_migrations_are_counted_and_named(
    servers: Servers, settings: Settings, database: Database
) -> None:
    assert databases.schema(database).is_ok
    head = migrations.head()
    *_, before = migrations.pending(None)[:-1]
    assert migrations.pending(before) == [head]
    run(servers, settings, f"UPDATE alembic_version SET version_num = '{before}'")
    found = databases.schema(database)
    assert found.status == "failure"
    assert found.seen == f"at {before}, 1 migrations are pending up to {head}"
    assert found.fix == "`mindgraph init-db`"


def test_a_schema_of_a_newer_release_is_no_problem(
    servers: Servers, settings: Settings, database: Database
) -> None:
    run(servers, settings, "UPDATE alembic_version SET version_num = 'from_later'")
    found = databases.schema(database)
    assert found.is_ok
    assert "newer release" in found.seen


def test_more_connections_than_the_server_has_are_a_failure(
    settings: Settings, database: Database
) -> None:
    (fits,) = databases.connections(database, settings)
    assert fits.is_ok
    many = settings.model_copy(update={"web_workers": 60, "web_threads": 90})
    (found,) = databases.connections(database, many)
    assert found.status == "failure"
    assert "POSTGRES_MAX_CONNECTIONS" in found.fix


def test_with_a_pooler_in_between_its_own_limits_count(
    settings: Settings, database: Database
) -> None:
    with database.read() as session:
        allowed = session.scalar(text("SHOW max_connections"))
    behind = settings.model_copy(
        update={"database_direct_host": "postgres", "web_workers": 60, "web_threads": 90}
    )
    (found,) = databases.connections(database, behind)
    assert found.is_ok
    assert f"from the pooler; the server allows {allowed}" in found.seen
