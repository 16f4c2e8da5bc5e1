"""PgBouncer as production has it, but for its mode and without TLS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import psycopg2

from benchmarks.load import containers
from tests.servers import HOST, OWNER_LABEL, RUN_LABEL, Servers, image, this_process

# The image's own script, changed on its way.
SCRIPT = """
sed -e "s/^pool_mode = .*/pool_mode = $MODE/" -e '/^client_tls_/d' -e '/^server_tls_ca_file/d' \\
    "$(command -v mindgraph-pgbouncer)" >/tmp/pooler
exec bash /tmp/pooler
"""
PATIENCE_S = 30.0


class PoolerFailed(Exception):
    """It doesn't answer; the message has its last lines."""


@contextmanager
def pooler(servers: Servers, mode: str, size: int, clients: int) -> Iterator[tuple[str, int]]:
    """Its address in the engine's network and its port of the loopback, for the block."""
    engine = docker.from_env()
    container = engine.containers.run(
        image("postgres"),
        ["-c", SCRIPT],
        entrypoint="bash",
        environment={
            "DATABASE_HOST": containers.address(servers.postgres_id),
            "DATABASE_PASSWORD": servers.app_password,
            "DATABASE_SSLMODE": "disable",
            "DATABASE_USER": "mindgraph_user",
            "MODE": mode,
            "PGBOUNCER_CLIENTS": str(clients),
            "PGBOUNCER_POOL_SIZE": str(size),
            "PGBOUNCER_RESERVE": "5",
        },
        labels={RUN_LABEL: "mindgraph-bench-pooler", OWNER_LABEL: this_process()},
        ports={"5432/tcp": (HOST, 0)},
        tmpfs={"/tmp": ""},  # noqa: S108 - inside of the container
        detach=True,
    )
    try:
        container.reload()
        port = int((container.ports["5432/tcp"] or [{}])[0]["HostPort"])
        try:
            _wait(servers, port)
        except psycopg2.OperationalError as error:
            said = container.logs(tail=20).decode(errors="replace")
            raise PoolerFailed(f"{error}\n{said}") from error
        yield containers.address(str(container.id)), port
    finally:
        container.remove(force=True, v=True)
        engine.close()


def _wait(servers: Servers, port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connect(servers, port).close()
            return
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def connect(servers: Servers, port: int) -> psycopg2.extensions.connection:
    """As the service, without transactions. Raises OperationalError."""
    made = psycopg2.connect(
        host=HOST,
        port=port,
        user="mindgraph_user",
        password=servers.app_password,
        dbname="mindgraph",
        connect_timeout=15,
    )
    made.autocommit = True
    return made
