"""What a change of passwords, keys and certificates in .env does to a stack that runs."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from . import backups
from .stacks import PRODUCTION, Stack

SITE = "diagrams.example.test"
POOLED = "host=pgbouncer dbname=mindgraph user=mindgraph_user sslmode=verify-full"
POOLED += " sslrootcert=/run/secrets/ca.crt"
CHANGED = (
    "DATABASE_BACKUP_PASSWORD",
    "DATABASE_PASSWORD",
    "DATABASE_READONLY_PASSWORD",
    "METRICS_TOKEN",
    "REDIS_PASSWORD",
)
SCRAPE = """import sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8000/metrics")
request.add_header("Authorization", "Bearer " + sys.argv[1])
print(urllib.request.urlopen(request).status)"""
PING = 'REDISCLI_AUTH="$0" redis-cli ping'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stack(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("site")
    certify(authority, folder)
    files = {"TLS_CERTIFICATE": str(folder / "crt"), "TLS_KEY": str(folder / "key")}
    with Stack(*PRODUCTION, settings={"SITE_ADDRESS": SITE, "TLS": "files", **files}) as stack:
        stack.up()
        yield stack


def certify(authority: trustme.CA, folder: Path) -> None:
    made = authority.issue_cert(SITE)
    (folder / "crt").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    (folder / "key").write_bytes(made.private_key_pem.bytes())


def serial(stack: Stack, authority: trustme.CA) -> object:
    """Of the certificate that the proxy shows."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    address = ("127.0.0.1", int(stack.env["HTTPS_PORT"]))
    with (
        socket.create_connection(address, 20) as connection,
        context.wrap_socket(connection, server_hostname=SITE) as wrapped,
    ):
        shown = wrapped.getpeercert()
    assert shown
    return shown["serialNumber"]


def started(stack: Stack) -> dict[str | None, object]:
    """When each container was, which are other times after a restart as well."""
    return {one.id: one.attrs["State"]["StartedAt"] for one in stack.containers()}


def by_the_pooler(stack: Stack, password: str) -> str:
    done = stack.run_in("postgres", "psql", POOLED, "-Atc", "SELECT 1", PGPASSWORD=password)
    return (done.stdout + done.stderr).strip()


def test_new_passwords_count_everywhere_after_a_start_and_old_ones_nowhere(stack: Stack) -> None:
    old = {name: stack.env[name] for name in CHANGED}
    assert by_the_pooler(stack, old["DATABASE_PASSWORD"]) == "1"
    stack.set(**{name: secrets.token_urlsafe(24) for name in CHANGED})
    untouched = stack.state("qdrant")["StartedAt"]
    backups.succeed(stack, "start")
    assert stack.is_well()
    assert stack.state("qdrant")["StartedAt"] == untouched
    for role, name in (
        ("mindgraph_user", "DATABASE_PASSWORD"),
        ("mindgraph_readonly", "DATABASE_READONLY_PASSWORD"),
    ):
        assert stack.sql(role, "SELECT 1") == "1"
        assert "authentication failed" in stack.psql(role, "SELECT 1", old[name]).stderr
    assert by_the_pooler(stack, stack.env["DATABASE_PASSWORD"]) == "1"
    assert "authentication failed" in by_the_pooler(stack, old["DATABASE_PASSWORD"])
    assert said_redis(stack, stack.env["REDIS_PASSWORD"]) == "PONG"
    assert "PONG" not in said_redis(stack, old["REDIS_PASSWORD"])
    assert scraped(stack, stack.env["METRICS_TOKEN"]) == "200"
    assert scraped(stack, old["METRICS_TOKEN"]) == ""


def said_redis(stack: Stack, password: str) -> str:
    return stack.run_in("redis", "sh", "-c", PING, password).stdout.strip()


def scraped(stack: Stack, token: str) -> str:
    return stack.run_in("app", "python3", "-c", SCRAPE, token).stdout.strip()


def test_a_new_certificate_is_served_after_a_start(stack: Stack, authority: trustme.CA) -> None:
    before, file = serial(stack, authority), Path(stack.env["TLS_CERTIFICATE"])
    database = stack.state("postgres")["StartedAt"]
    certify(authority, file.parent)
    backups.succeed(stack, "start")
    assert serial(stack, authority) != before
    assert stack.state("postgres")["StartedAt"] == database


def test_a_start_that_has_nothing_to_change_restarts_nothing(stack: Stack) -> None:
    before = started(stack)
    backups.succeed(stack, "start")
    assert started(stack) == before


def test_a_start_that_was_killed_when_the_files_were_written_is_made_up_for(stack: Stack) -> None:
    old = stack.env["REDIS_PASSWORD"]
    stack.set(REDIS_PASSWORD=secrets.token_urlsafe(24))
    # As if nothing had come after it: the files are as the settings, and the containers are not.
    written = stack.container("redis").attrs["State"]["StartedAt"]
    file = "/secrets/redis/REDIS_PASSWORD"
    script = f'printf %s "$PASSWORD" >/tmp/new && cat /tmp/new >{file}'
    stack.engine.containers.run(
        f"{stack.env['IMAGE_NAMESPACE']}-postgres",
        ["-c", script],
        entrypoint=["bash"],
        environment={"PASSWORD": stack.env["REDIS_PASSWORD"]},
        labels={"com.docker.compose.project": stack.project},
        remove=True,
        user="0",
        volumes={stack.env["SECRETS_DIR"]: {"bind": "/secrets", "mode": "rw"}},
    )
    backups.succeed(stack, "start")
    assert stack.state("redis")["StartedAt"] != written
    assert said_redis(stack, stack.env["REDIS_PASSWORD"]) == "PONG"
    assert "PONG" not in said_redis(stack, old)
