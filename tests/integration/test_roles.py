"""What the roles of db/init may do in a database that init_db has prepared."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import psycopg2.extensions
import pytest
from psycopg2 import errors

from app.settings import Settings
from tests.commands import wait_until
from tests.databases import Backend, superuser
from tests.servers import HOST, ODD, Servers


@pytest.fixture
def backend() -> Backend:
    return "postgresql"


class As:
    """Opens a cursor of a role in the test's database."""

    def __init__(self, servers: Servers, database: str) -> None:
        self.servers = servers
        self.database = database

    @contextmanager
    def __call__(self, role: str) -> Iterator[psycopg2.extensions.cursor]:
        passwords = {
            "mindgraph_owner": self.servers.owner_password,
            "mindgraph_user": self.servers.app_password,
            "mindgraph_readonly": self.servers.readonly_password,
            "mindgraph_backup": self.servers.backup_password,
        }
        connection = psycopg2.connect(
            host=HOST,
            port=self.servers.postgres_port,
            user=role,
            password=passwords[role],
            dbname=self.database,
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


@pytest.fixture
def as_role(settings: Settings, servers: Servers) -> As:
    return As(servers, settings.database_name)


def value(cursor: psycopg2.extensions.cursor, statement: str) -> Any:
    cursor.execute(statement)
    row = cursor.fetchone()
    return row[0] if row else None


CHANGES_OF_THE_SCHEMA = [
    "CREATE TABLE mine (id integer)",
    "CREATE TEMPORARY TABLE mine (id integer)",
    "CREATE SCHEMA mine",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION hstore",
    "ALTER TABLE users ADD COLUMN mine integer",
    "ALTER TABLE users OWNER TO mindgraph_user",
    "ALTER TABLE users DISABLE TRIGGER ALL",
    "DROP TABLE users",
    "DROP INDEX ix_users_organization_id",
    "TRUNCATE diagrams",
    "GRANT SELECT ON users TO mindgraph_backup",
    "SET ROLE mindgraph_owner",
    "SET ROLE postgres",
    "CREATE ROLE mine",
    "ALTER ROLE mindgraph_user SUPERUSER",
    "ALTER ROLE mindgraph_owner PASSWORD 'guessed'",
    "CREATE DATABASE mine",
    "COPY users TO PROGRAM 'id'",
    "COPY users FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
]


@pytest.mark.parametrize("role", ["mindgraph_user", "mindgraph_readonly", "mindgraph_backup"])
def test_no_role_but_the_owner_changes_the_schema(as_role: As, role: str) -> None:
    allowed = []
    with as_role(role) as cursor:
        if role == "mindgraph_readonly":
            # Anybody can lift this; what holds are the privileges.
            cursor.execute("SET default_transaction_read_only = off")
        for statement in CHANGES_OF_THE_SCHEMA:
            try:
                cursor.execute(statement)
            except errors.InsufficientPrivilege:
                continue
            except psycopg2.Error as error:
                statement += f" ({type(error).__name__})"
            # A grant of what one has no right to give away only warns.
            if not statement.startswith("GRANT"):
                allowed.append(statement)
    assert allowed == []


def test_the_app_reads_and_writes_every_table(as_role: As) -> None:
    with as_role("mindgraph_owner") as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row[0] for row in cursor.fetchall()]
    assert {"users", "organizations", "diagrams", "alembic_version"} <= set(tables)
    with as_role("mindgraph_user") as cursor:
        for table in tables:
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                assert value(cursor, f"SELECT has_table_privilege('{table}', '{right}')"), table
            for right in ("TRUNCATE", "REFERENCES", "TRIGGER"):
                assert not value(cursor, f"SELECT has_table_privilege('{table}', '{right}')"), table
        cursor.execute(
            "INSERT INTO organizations (code, name, created_at, is_active)"
            " VALUES ('new', 'new', now(), true) RETURNING id"
        )
        cursor.execute("UPDATE organizations SET name = 'newer' WHERE code = 'new'")
        cursor.execute("DELETE FROM organizations WHERE code = 'new'")
        assert cursor.rowcount == 1


@pytest.mark.parametrize("role", ["mindgraph_readonly", "mindgraph_backup"])
def test_the_readers_read_everything_and_write_nothing(as_role: As, role: str) -> None:
    with as_role(role) as cursor:
        for table in ("users", "organizations", "diagrams", "alembic_version"):
            cursor.execute(f"SELECT count(*) FROM {table}")
        cursor.execute("SET default_transaction_read_only = off")
        for statement in (
            "INSERT INTO organizations (code, name, created_at, is_active)"
            " VALUES ('new', 'new', now(), true)",
            "UPDATE users SET role = 'admin'",
            "DELETE FROM diagrams",
            "SELECT setval('users_id_seq', 1)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement)


def test_a_reader_is_read_only_without_asking(as_role: As) -> None:
    with as_role("mindgraph_readonly") as cursor, pytest.raises(errors.ReadOnlySqlTransaction):
        cursor.execute("DELETE FROM diagrams")


def test_what_the_owner_makes_later_has_the_same_privileges(as_role: As) -> None:
    with as_role("mindgraph_owner") as cursor:
        cursor.execute("CREATE TABLE later (id serial PRIMARY KEY, note text)")
    with as_role("mindgraph_user") as cursor:
        cursor.execute("INSERT INTO later (note) VALUES ('a'), ('b')")
        cursor.execute("UPDATE later SET note = 'c'")
        cursor.execute("DELETE FROM later WHERE id = 1")
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute("DROP TABLE later")
    for role in ("mindgraph_readonly", "mindgraph_backup"):
        with as_role(role) as cursor:
            assert value(cursor, "SELECT count(*) FROM later") == 1


def test_no_role_of_the_service_is_more_than_it_needs(servers: Servers) -> None:
    with superuser(servers) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname LIKE 'mindgraph%' ORDER BY rolname"
        )
        found = {name: rights for name, *rights in cursor.fetchall()}
        replication = [False, False, False, True, False]
        assert found.pop("mindgraph_backup") == replication
        assert found == dict.fromkeys(
            ("mindgraph_owner", "mindgraph_readonly", "mindgraph_user"), [False] * 5
        )
        assert value(
            cursor,
            "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256%') FROM pg_authid"
            " WHERE rolname LIKE 'mindgraph%'",
        )


@pytest.mark.parametrize(
    ("role", "name", "wanted"),
    [
        ("mindgraph_user", "statement_timeout", "30s"),
        ("mindgraph_user", "lock_timeout", "5s"),
        ("mindgraph_user", "idle_in_transaction_session_timeout", "1min"),
        ("mindgraph_readonly", "statement_timeout", "5min"),
        ("mindgraph_readonly", "default_transaction_read_only", "on"),
        ("mindgraph_owner", "lock_timeout", "10s"),
    ],
)
def test_who_comes_with_psql_has_limits_too(as_role: As, role: str, name: str, wanted: str) -> None:
    with as_role(role) as cursor:
        assert value(cursor, f"SHOW {name}") == wanted


def test_only_the_roles_of_the_service_get_into_its_database(servers: Servers) -> None:
    stranger = f"stranger_{secrets.token_hex(4)}"
    with superuser(servers) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {stranger} LOGIN PASSWORD 'x'")
        try:
            for role, wanted in (
                (stranger, False),
                ("mindgraph_user", True),
                ("mindgraph_readonly", True),
                ("mindgraph_backup", True),
            ):
                asked = f"SELECT has_database_privilege('{role}', 'mindgraph', 'CONNECT')"
                assert value(cursor, asked) is wanted
        finally:
            cursor.execute(f"DROP ROLE {stranger}")


def test_a_wrong_password_opens_nothing(servers: Servers) -> None:
    for role in ("postgres", "mindgraph_owner", "mindgraph_user"):
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(
                host=HOST, port=servers.postgres_port, user=role, password="x", dbname="mindgraph"
            )


def test_the_extensions_are_there(as_role: As) -> None:
    with as_role("mindgraph_user") as cursor:
        assert value(cursor, "SELECT similarity('mindgraph', 'mindgraphs') > 0.5")
        cursor.execute("SELECT extname FROM pg_extension")
        assert {"pg_trgm", "pg_stat_statements"} <= {row[0] for row in cursor.fetchall()}


def test_the_init_files_may_run_again_and_no_password_gets_into_log_or_statistics(
    servers: Servers,
) -> None:
    nonce = secrets.token_hex(8)
    client = docker.from_env()
    try:
        server = client.containers.get(servers.postgres_id)
        with superuser(servers, "mindgraph") as connection, connection.cursor() as cursor:
            try:
                for name, loud in (
                    ("log_statement", "all"),
                    ("log_min_duration_statement", "0"),
                    ("pg_stat_statements.track", "all"),
                ):
                    cursor.execute(f"ALTER SYSTEM SET {name} = '{loud}'")
                cursor.execute("SELECT pg_reload_conf()")
                wait_until(lambda: value(cursor, "SHOW log_statement") == "all", "the log is loud")
                cursor.execute(f"SELECT 'loud {nonce}'")
                done = server.exec_run(["mindgraph-apply-init", "/var/run/postgresql"])
                assert done.exit_code == 0, done.output
                cursor.execute("SELECT query FROM pg_stat_statements")
                statistics = "\n".join(row[0] for row in cursor.fetchall())
            finally:
                cursor.execute("ALTER SYSTEM RESET ALL")
                cursor.execute("SELECT pg_reload_conf()")
        log = server.logs().decode(errors="replace")
    finally:
        client.close()
    assert f"loud {nonce}" in log
    for password in (
        servers.superuser_password,
        servers.owner_password,
        servers.app_password,
        servers.readonly_password,
        servers.backup_password,
    ):
        # However the odd characters in front of it were quoted.
        assert password.removeprefix(ODD) not in log
        assert password.removeprefix(ODD) not in statistics
    assert "SCRAM-SHA-256" not in log + statistics
