"""Backups on a server with the API of S3: made, checked, and brought back on a machine that has
nothing but the env file."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from . import backups
from .buckets import NAME, Server
from .stacks import CHECKOUT, PRODUCTION, Stack

OVERLAY = CHECKOUT / "docker" / "postgres" / "s3.yaml"
NOTES = "CREATE TABLE notes (id serial PRIMARY KEY, text text)"
# What another machine may have for itself.
OWN = ("COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "HTTP_PORT", "HTTPS_PORT", "SECRETS_DIR")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def stack(server: Server) -> Iterator[Stack]:
    with Stack(*PRODUCTION, OVERLAY, settings=server.settings) as stack:
        stack.make_secrets()
        with server.joined(stack):
            server.make_bucket(stack)
            stack.up()
            stack.sql_inside(NOTES)
            yield stack


def write(stack: Stack, text: str) -> None:
    stack.sql_inside(f"INSERT INTO notes (text) VALUES ('{text}')")


def networks(stack: Stack) -> set[str]:
    config = json.loads(stack.compose("config", "--format", "json").stdout)
    return set(config["services"]["postgres"]["networks"])


def test_the_database_has_a_way_out_only_for_its_backups(stack: Stack) -> None:
    assert networks(stack) == {"archive", "data"}
    stack.files.remove(OVERLAY)
    try:
        assert networks(stack) == {"data"}
    finally:
        stack.files.append(OVERLAY)
    # Nobody comes in by it.
    (subnet,) = stack.engine.networks.get(f"{stack.project}_archive").attrs["IPAM"]["Config"]
    rules = stack.run_in("postgres", "cat", "/tmp/hba.conf").stdout
    assert "hostssl" in rules
    assert subnet["Subnet"].split("/")[0] not in rules


def test_without_its_network_the_setting_is_refused_with_what_helps(stack: Stack) -> None:
    before = stack.env["COMPOSE_FILE"]
    stack.set(COMPOSE_FILE=before.replace(f":{OVERLAY}", ""))
    try:
        done = backups.mindgraph(stack, "backup")
    finally:
        stack.set(COMPOSE_FILE=before)
    assert done.returncode == 1
    assert "add docker/postgres/s3.yaml to COMPOSE_FILE" in done.stderr


def test_a_backup_goes_to_the_bucket_and_is_whole(stack: Stack) -> None:
    write(stack, "first")
    backups.succeed(stack, "backup", "--full")
    listed = json.loads(backups.succeed(stack, "backups", "--json"))
    assert len(listed) == 1
    assert "is whole" in backups.succeed(stack, "backups", "verify")
    assert backups.in_repository(stack, "ls -A") == ""


def test_a_bucket_that_is_away_is_named(server: Server, stack: Stack) -> None:
    server.leave(stack)
    try:
        done = backups.mindgraph(stack, "backup")
        listed = backups.mindgraph(stack, "backups")
    finally:
        server.join(stack)
    for one in (done, listed):
        assert one.returncode == 1
        assert f"can't be reached at {NAME}" in one.stderr


def test_after_a_fire_the_env_file_and_the_bucket_are_enough(server: Server, stack: Stack) -> None:
    write(stack, "last")
    backups.succeed(stack, "backup")
    then = backups.sums(stack)
    stack.compose("down", "--volumes", check=False)
    with Stack(*PRODUCTION, OVERLAY) as other:
        other.set(**{name: value for name, value in stack.env.items() if name not in OWN})
        with server.joined(other):
            said = backups.succeed(other, "restore")
            assert "the stack serves it" in said
            assert other.is_well()
            assert backups.sums(other) == then
            backups.succeed(other, "backup")
