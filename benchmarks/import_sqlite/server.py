"""The PostgreSQL of a benchmark, and a database of its own for each run of each contender."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import docker
import psycopg2
from psycopg2 import extensions

from benchmarks import images
from tests import databases
from tests.servers import HOST, Run, Servers, this_process

HERE = Path(__file__).parent
# What the tests' servers have otherwise for the sake of tiny tables, and room for the log of rows,
# so that no contender pays for a checkpoint of another.
SETTINGS = (
    "ALTER SYSTEM SET max_wal_size = '8GB'",
    "ALTER SYSTEM SET checkpoint_timeout = '1h'",
    "ALTER ROLE ALL SET enable_seqscan = on",
    "SELECT pg_reload_conf()",
)


@dataclass(frozen=True)
class Server:
    """`password` has letters and digits only, as not every contender can read others in a URL.

    `name` is that of the role that owns the tables, and of the database with the prepared schema.
    """

    servers: Servers
    name: str
    password: str

    def url(self, database: str) -> str:
        place = f"{HOST}:{self.servers.postgres_port}"
        return f"postgresql://{self.name}:{self.password}@{place}/{database}"

    def version(self) -> str:
        with self.connected("postgres") as cursor:
            cursor.execute("SHOW server_version")
            return str(cursor.fetchall()[0][0])

    def cpu_seconds(self) -> float:
        """What the whole server has used so far."""
        client = docker.from_env()
        try:
            container = client.containers.get(self.servers.postgres_id)
            found = cast("dict[str, Any]", container.stats(stream=False, one_shot=True))
        finally:
            client.close()
        return float(found["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def settle(self) -> None:
        """Writes out what the last run left behind."""
        with databases.superuser(self.servers) as connection, connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")

    @contextmanager
    def connected(self, database: str) -> Iterator[extensions.cursor]:
        """As the owner of the tables, without transactions."""
        connection = psycopg2.connect(self.url(database))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    @contextmanager
    def database(self, template: str = "") -> Iterator[str]:
        """A copy of the prepared schema, or of another database; it is dropped after the block."""
        name = f"{self.name}_{secrets.token_hex(4)}"
        copied = template or self.name
        self.execute(f"CREATE DATABASE {name} TEMPLATE {copied} OWNER {self.name}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with databases.superuser(self.servers) as connection, connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def started() -> Iterator[Server]:
    """A server of this checkout's image, in memory, for the block."""
    images.ensure_named()
    folder = Path(tempfile.mkdtemp(prefix="mindgraph-bench-"))
    run = Run(folder, this_process())
    try:
        with prepared(run.servers(lambda _: None)) as server:
            for statement in SETTINGS:
                server.execute(statement)
            yield server
    finally:
        run.remove()
        shutil.rmtree(folder)


@contextmanager
def prepared(servers: Servers) -> Iterator[Server]:
    """The prepared schema on servers that are there, for the block."""
    made = Server(servers, f"import_{secrets.token_hex(4)}", secrets.token_hex(12))
    # A superuser: the floor's files are read and written by the server itself.
    made.execute(f"CREATE ROLE {made.name} LOGIN SUPERUSER PASSWORD '{made.password}'")
    made.execute(f"CREATE DATABASE {made.name} TEMPLATE template0 OWNER {made.name}")
    try:
        with made.connected(made.name) as cursor:
            for name in ("target.sql", "indexes.sql"):
                cursor.execute((HERE / name).read_text(encoding="utf-8"))
        yield made
    finally:
        made.execute(f"DROP DATABASE {made.name} WITH (FORCE)")
        made.execute(f"DROP ROLE {made.name}")
