"""Servers elsewhere, named by the env file alone, and clients from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from .stacks import CHECKOUT, PRODUCTION, Stack

REMOTE = CHECKOUT / "docker" / "postgres" / "remote.yaml"
NAME = "db.example.test"


@pytest.fixture(scope="module")
def provider() -> Iterator[Stack]:
    """Has the servers of another stack, and its database is open to clients of other machines."""
    with Stack(*PRODUCTION, REMOTE) as stack:
        bridge = stack.engine.networks.get("bridge").attrs["IPAM"]["Config"][0]
        stack.set(
            # An engine doesn't always tell it, and takes the first one then.
            POSTGRES_BIND=bridge.get("Gateway") or str(next(ip_network(bridge["Subnet"]).hosts())),
            # Any that is free.
            POSTGRES_PORT="0",
            POSTGRES_NAMES=NAME,
            # The client may have any address that Docker gives, its gateways included.
            POSTGRES_REMOTE_ROLES="mindgraph_readonly,mindgraph_user,mindgraph_owner",
            POSTGRES_REMOTE_NETWORKS="10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
        )
        stack.up()
        yield stack


def remote(stack: Stack, role: str, password: str, options: str) -> str:
    """What a client on the machine's own network is told at the published port."""
    bindings = stack.container("postgres").attrs["NetworkSettings"]["Ports"]["5432/tcp"]
    host, port = bindings[0]["HostIp"], bindings[0]["HostPort"]
    address = f"host={NAME} port={port} user={role} dbname=mindgraph"
    said: bytes = stack.engine.containers.run(
        stack.container("postgres").attrs["Image"],
        [f"psql '{options} {address}' -Atc 'SELECT 1' || true"],
        entrypoint=["bash", "-c"],
        environment={"PGPASSWORD": password},
        extra_hosts={NAME: host},
        network_mode="bridge",
        remove=True,
        stderr=True,
        volumes={f"{stack.env['SECRETS_DIR']}/pgbouncer/ca.crt": {"bind": "/tmp/ca.crt"}},
    )
    return said.decode().strip()


VERIFIED = "sslmode=verify-full sslrootcert=/tmp/ca.crt"


def test_a_client_of_another_machine_reads_over_tls_with_the_name_verified(
    provider: Stack,
) -> None:
    password = provider.env["DATABASE_READONLY_PASSWORD"]
    assert remote(provider, "mindgraph_readonly", password, VERIFIED) == "1"


@pytest.mark.parametrize(
    ("role", "secret", "options", "reason"),
    [
        ("mindgraph_readonly", "DATABASE_READONLY_PASSWORD", "sslmode=disable", "no encryption"),
        ("mindgraph_readonly", "DATABASE_PASSWORD", VERIFIED, "password authentication failed"),
        ("mindgraph_backup", "DATABASE_BACKUP_PASSWORD", VERIFIED, "no pg_hba.conf entry"),
        ("postgres", "POSTGRES_PASSWORD", VERIFIED, "no pg_hba.conf entry"),
    ],
)
def test_nobody_else_gets_in_from_there(
    provider: Stack, role: str, secret: str, options: str, reason: str
) -> None:
    assert reason in remote(provider, role, provider.env[secret], options)


def test_the_pooler_finds_a_database_that_was_made_anew_at_another_address(
    provider: Stack,
) -> None:
    network = provider.engine.networks.get(f"{provider.project}_data")
    before = address(provider, "postgres")
    provider.compose("rm", "--stop", "--force", "postgres")
    image = provider.container("pgbouncer").attrs["Image"]
    # Takes the address that is free now.
    other = provider.engine.containers.create(image, ["sleep", "600"], entrypoint=[], detach=True)
    try:
        network.connect(other)
        other.start()
        provider.compose("up", "--detach", "--no-deps", "--wait", "postgres")
        assert address(provider, "postgres") != before
        provider.wait_until_well()
    finally:
        other.remove(force=True)
    assert f"postgres has moved from {before} to" in provider.logs("pgbouncer")


def address(stack: Stack, service: str) -> str:
    networks = stack.container(service).attrs["NetworkSettings"]["Networks"]
    return str(networks[f"{stack.project}_data"]["IPAddress"])


def test_the_database_does_not_start_where_it_can_not_tell_its_published_network() -> None:
    settings = {"POSTGRES_REMOTE_NETWORKS": "192.168.0.0/16"}
    with Stack(*PRODUCTION, settings=settings) as stack:
        script = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "mindgraph-hba")
        stack.make_secrets()
        done = stack.compose(*script, "postgres", "192.168.0.0/16", "", check=False)
        assert done.returncode == 1
        assert "add docker/postgres/remote.yaml to COMPOSE_FILE in .env" in done.stderr
        assert "host" not in done.stdout


def test_a_start_of_the_database_waits_for_no_name_server() -> None:
    """Of names that it may not have it would ask those outside, which do not answer."""
    asking = "getent() { echo asked >&2; }; export -f getent; mindgraph-hba '' ''"
    script = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "bash", "postgres", "-c")
    with Stack(*PRODUCTION) as stack:
        stack.make_secrets()
        done = stack.compose(*script, asking)
        assert "hostssl mindgraph" in done.stdout
        assert "asked" not in done.stderr
        named = ("run", "--env", "POSTGRES_REMOTE_NAME=remote.mindgraph", *script[1:])
        assert "asked" in stack.compose(*named, asking).stderr


def test_a_stack_without_servers_of_its_own_uses_those_that_its_env_file_names(
    provider: Stack,
) -> None:
    secrets = ("DATABASE_PASSWORD", "DATABASE_OWNER_PASSWORD", "QDRANT_API_KEY", "REDIS_PASSWORD")
    settings = {
        **{name: provider.env[name] for name in secrets},
        "BUNDLED_POSTGRES": "0",
        "BUNDLED_QDRANT": "0",
        "BUNDLED_REDIS": "0",
        "DATABASE_CA": f"{provider.env['SECRETS_DIR']}/authority/ca.crt",
        "DATABASE_HOST": NAME,
        "QDRANT_URL": "http://qdrant.example.test:6333",
        "REDIS_HOST": "redis.example.test",
    }
    names = {"postgres": NAME, "qdrant": "qdrant.example.test", "redis": "redis.example.test"}
    with Stack(*PRODUCTION, settings=settings) as stack:
        stack.make_secrets()
        stack.compose("create")
        edge = stack.engine.networks.get(f"{stack.project}_edge")
        for service, alias in names.items():
            edge.connect(provider.container(service), aliases=[alias])
        try:
            stack.up()
            started = {one.labels["com.docker.compose.service"] for one in stack.containers()}
            assert started == {"app", "worker", "pgbouncer", "proxy"}
            services = stack.readiness()["services"]
            assert {name: one["ok"] for name, one in services.items()} == {
                "database": True,
                "qdrant": True,
                "redis": True,
                "schema": True,
            }
            stack.compose(
                *("exec", "--no-TTY", "app", "mindgraph", "users", "create-admin"),
                *("guest@example.org", "--name", "Guest"),
                stdin="correct horse battery staple 7\n",
            )
            count = "SELECT count(*) FROM users WHERE phone = 'guest@example.org'"
            psql = ("psql", "-Atc", count, "-U", "postgres", "mindgraph")
            done = provider.run_in("postgres", *psql)
            assert done.stdout.strip() == "1", done.stderr
        finally:
            for service in names:
                edge.disconnect(provider.container(service))
