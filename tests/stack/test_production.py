"""compose.prod.yaml on a running stack: what it adds, and that it changes nothing else."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from typing import Any

import httpx
import pytest

from .people import MIND_MAP
from .stacks import SERVICES, Stack

# What production may have other than development in a service of both.
CHANGED = {
    "command",
    "cpu_shares",
    "cpus",
    "depends_on",
    "environment",
    "mem_limit",
    "networks",
    "ports",
    "volumes",
}
PASSWORD = "correct horse battery staple 7"
SCAN = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        print(target)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def stack(unharmed_production: Stack) -> Stack:
    return unharmed_production


@pytest.fixture(scope="module")
def client(stack: Stack) -> httpx.Client:
    return httpx.Client(base_url=stack.url, verify=stack.verify, trust_env=False, timeout=60)


def config(stack: Stack, files: int) -> dict[str, Any]:
    """The first so many files of the stack, as Compose reads them."""
    kept, stack.files = stack.files, stack.files[:files]
    try:
        read: dict[str, Any] = json.loads(stack.compose("config", "--format", "json").stdout)
        return read
    finally:
        stack.files = kept


def test_the_same_images_run_and_only_what_is_listed_differs(stack: Stack) -> None:
    development, production = config(stack, 1)["services"], config(stack, 2)["services"]
    assert set(development) == set(SERVICES)
    watching = {"postgres-exporter", "prometheus", "redis-exporter"}
    assert set(production) - set(development) == {"pgbouncer", "proxy"} | watching
    for name, before in development.items():
        after = production[name]
        names = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        assert names <= CHANGED, name
        assert "image" in before
    # A pooler is the database's image as well: none of the services has one of its own.
    for name in (*SERVICES, "pgbouncer"):
        built = production["postgres" if name == "pgbouncer" else name]["image"]
        assert stack.container(name).attrs["Image"] == stack.engine.images.get(built).id


def test_the_service_is_used_over_https_as_people_do(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, verify=stack.verify, trust_env=False) as browser:
        account = make_administrator(stack)
        assert browser.get("/api/diagrams").status_code == 401
        answer = browser.post("/api/auth/login", json=account)
        assert answer.status_code == 200, answer.text
        # It is sent over TLS alone, and not to scripts.
        cookie = answer.headers["set-cookie"].lower()
        assert "secure" in cookie
        assert "httponly" in cookie
        made = browser.post("/api/diagrams", json=MIND_MAP)
        assert made.status_code == 201, made.text
        assert MIND_MAP["title"] in browser.get("/api/diagrams").text
        origin = {"Origin": "https://elsewhere.example"}
        refused = browser.post("/api/diagrams", json=MIND_MAP, headers=origin)
        assert refused.status_code == 403


def make_administrator(stack: Stack) -> dict[str, str]:
    account = {"login": f"root-{secrets.token_hex(4)}@example.org", "password": PASSWORD}
    stack.compose(
        *("exec", "--no-TTY", "app", "mindgraph", "users", "create-admin", account["login"]),
        *("--name", "Root"),
        stdin=account["password"] + "\n",
    )
    return account


def test_http_is_sent_to_https_at_the_published_port(stack: Stack) -> None:
    address = f"http://localhost:{stack.env['HTTP_PORT']}/some/page?a=1"
    answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 308
    assert answer.headers["location"] == f"{stack.url}/some/page?a=1"
    assert "server" not in answer.headers


def test_the_answers_insist_on_https_and_name_no_program(client: httpx.Client) -> None:
    answer = client.get("/healthz")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "server" not in answer.headers
    assert "via" not in answer.headers


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_what_machines_of_the_inside_ask_for_is_not_there_outside(
    client: httpx.Client, path: str
) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("version", "works"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(
    stack: Stack, version: ssl.TLSVersion, works: bool
) -> None:
    context = stack.verify
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    address = ("localhost", int(stack.env["HTTPS_PORT"]))
    with socket.create_connection(address, 20) as connection:
        try:
            with context.wrap_socket(connection, server_hostname="localhost") as wrapped:
                assert wrapped.version()
            assert works
        except ssl.SSLError:
            assert not works


def test_a_larger_request_than_the_limit_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/diagrams/import", content=b"x" * 61_000_000)
    assert answer.status_code == 413


def test_only_the_proxy_is_published(stack: Stack) -> None:
    published = {
        (name, bindings[0]["HostIp"], bindings[0]["HostPort"])
        for name in (*SERVICES, "pgbouncer", "proxy")
        for bindings in stack.container(name).attrs["NetworkSettings"]["Ports"].values()
        if bindings
    }
    ports = {stack.env["HTTP_PORT"], stack.env["HTTPS_PORT"]}
    assert published == {("proxy", "127.0.0.1", port) for port in ports}


def test_from_another_network_no_port_of_any_service_answers(stack: Stack) -> None:
    ports = {
        "postgres": 5432,
        "pgbouncer": 5432,
        "redis": 6379,
        "qdrant": 6333,
        "app": 8000,
        "proxy": 8443,
    }
    targets = [
        f"{network['IPAddress']}:{port}"
        for name, port in ports.items()
        for network in stack.container(name).attrs["NetworkSettings"]["Networks"].values()
    ]
    image = stack.container("app").attrs["Image"]
    # Beside the stack, as another project's container would be.
    said = stack.engine.containers.run(
        image, ["python3", "-c", SCAN, *targets], remove=True, network_mode="bridge"
    )
    assert said == b""
    # The same look from the inside finds them, so that it proves something.
    inside = stack.run_in("app", "python3", "-c", SCAN, "postgres:5432", "qdrant:6333")
    assert inside.stdout.split() == ["postgres:5432", "qdrant:6333"]


# The database


def test_the_service_reaches_the_database_through_the_pooler_and_over_tls(stack: Stack) -> None:
    statement = """
        SELECT a.application_name, s.version, host(a.client_addr)
        FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.usename = 'mindgraph_user'
    """
    networks = stack.container("pgbouncer").attrs["NetworkSettings"]["Networks"].values()
    addresses = {network["IPAddress"] for network in networks}
    rows = [line.split("|") for line in stack.sql_inside(statement).splitlines()]
    assert rows
    for name, version, address in rows:
        assert name.startswith("mindgraph-")
        assert version == "TLSv1.3"
        assert address in addresses


def connection(stack: Stack, service: str, options: str, statement: str) -> str:
    """What a client beside `service` is told, with the app's password."""
    done = stack.run_in(
        service,
        *("psql", "--no-psqlrc", "--no-align", "--tuples-only", "--command", statement, options),
        PGPASSWORD=stack.env["DATABASE_PASSWORD"],
    )
    return done.stdout.strip() or done.stderr.strip()


USER = "user=mindgraph_user dbname=mindgraph sslrootcert=/run/secrets/ca.crt"


@pytest.mark.parametrize("host", ["postgres", "pgbouncer"])
def test_the_name_of_server_and_pooler_is_verified(stack: Stack, host: str) -> None:
    found = connection(stack, "pgbouncer", f"host={host} sslmode=verify-full {USER}", "SELECT 1")
    assert found == "1"
    address = stack.run_in("pgbouncer", "getent", "hosts", host).stdout.split()[0]
    found = connection(stack, "pgbouncer", f"host={address} sslmode=verify-full {USER}", "SELECT 1")
    assert "does not match host name" in found


@pytest.mark.parametrize("host", ["postgres", "pgbouncer"])
def test_nobody_gets_in_without_tls(stack: Stack, host: str) -> None:
    found = connection(stack, "pgbouncer", f"host={host} sslmode=disable {USER}", "SELECT 1")
    assert "no encryption" in found or "SSL required" in found


def test_the_log_of_changes_is_given_to_the_inside_of_the_container_alone(stack: Stack) -> None:
    asked = "user=mindgraph_backup replication=true"
    found = connection(stack, "pgbouncer", f"host=postgres sslmode=require {asked}", "")
    assert "no pg_hba.conf entry for replication connection" in found
    done = stack.run_in("postgres", "psql", asked, "--command", "IDENTIFY_SYSTEM")
    assert done.returncode == 0, done.stderr


def test_the_superuser_and_other_databases_are_closed_to_the_network(stack: Stack) -> None:
    for options in ("user=postgres dbname=mindgraph", "user=mindgraph_user dbname=postgres"):
        found = connection(stack, "pgbouncer", f"host=postgres sslmode=require {options}", "")
        assert "no pg_hba.conf entry" in found


def test_a_session_through_the_pooler_has_the_limits_of_the_settings(stack: Stack) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    script = (
        "from sqlalchemy import text; from app import settings; from app.db import engine; "
        "connection = engine.build(settings.load(), name='test', threads=1).connect(); "
        f"print([connection.scalar(text('SHOW ' + n)) for n in {(*names, 'TimeZone')}])"
    )
    done = stack.run_in("app", "python3", "-c", script)
    assert done.stdout.strip() == "['30s', '5s', '1min', 'UTC']", done.stderr


def test_the_server_is_sized_by_its_memory(stack: Stack) -> None:
    memory, cores = int(stack.env["POSTGRES_MEMORY_MB"]), int(stack.env["CPU_CORES"])
    shown = {
        name: stack.sql_inside(f"SELECT setting FROM pg_settings WHERE name = '{name}'")
        for name in ("shared_buffers", "effective_cache_size", "max_parallel_workers", "ssl")
    }
    assert shown == {
        "shared_buffers": str(memory // 4 * 128),
        "effective_cache_size": str(memory * 3 // 4 * 128),
        "max_parallel_workers": str(cores),
        "ssl": "on",
    }


def test_it_comes_back_after_a_restart_with_the_same_authority(stack: Stack) -> None:
    before = stack.run_in("pgbouncer", "cat", "/run/secrets/ca.crt", "/run/secrets/server.crt")
    stack.make_secrets()
    after = stack.run_in("pgbouncer", "cat", "/run/secrets/ca.crt", "/run/secrets/server.crt")
    assert before.stdout == after.stdout
    assert before.stdout.count("BEGIN CERTIFICATE") == 2
