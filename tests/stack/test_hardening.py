"""What compose.yaml promises about the containers, asked of the engine and of the containers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .stacks import ROLES, SERVICES, Stack

SECRETS = (*ROLES.values(), "REDIS_PASSWORD", "QDRANT_API_KEY")
WRITABLE = {
    "postgres": {"/tmp", "/run/postgresql", "/var/lib/postgresql/data"},
    "redis": {"/tmp", "/data"},
    "qdrant": {"/tmp", "/qdrant/storage"},
    "app": {"/tmp", "/var/lib/mindgraph"},
    "worker": {"/tmp", "/var/lib/mindgraph"},
}


@pytest.fixture(scope="module")
def stack(unharmed_stack: Stack) -> Stack:
    return unharmed_stack


def host_config(stack: Stack, service: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.container(service).attrs["HostConfig"]
    return found


def in_shell(stack: Stack, service: str, script: str) -> str:
    done = stack.run_in(service, "bash", "-c", script)
    return done.stdout + done.stderr


def processes(stack: Stack, service: str) -> list[dict[str, str]]:
    """The status of every process that was there before this look at it."""
    script = "for f in /proc/[0-9]*/status; do tr '\\n' '|' <$f 2>/dev/null; echo; done"
    lines = [line.split("|") for line in in_shell(stack, service, script).splitlines()]
    found = [dict(part.split(":\t", 1) for part in line if ":\t" in part) for line in lines]
    return [one for one in found if one and one["Name"] not in ("bash", "tr")]


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_is_root_or_can_become_it(stack: Stack, service: str) -> None:
    found = processes(stack, service)
    assert found
    for one in found:
        # init runs as the container's user as well.
        assert "0" not in one["Uid"].split(), one["Name"]
        assert int(one["CapEff"], 16) == int(one["CapBnd"], 16) == 0, one["Name"]
        assert one["NoNewPrivs"] == "1", one["Name"]


@pytest.mark.parametrize("service", SERVICES)
def test_only_volumes_and_memory_can_be_written(stack: Stack, service: str) -> None:
    assert host_config(stack, service)["ReadonlyRootfs"]
    assert "Read-only file system" in in_shell(stack, service, ": > /usr/local/bin/planted")
    container = stack.container(service).attrs
    tmpfs = set(container["HostConfig"]["Tmpfs"] or {})
    mounts = {mount["Destination"] for mount in container["Mounts"] if mount["RW"]}
    assert tmpfs | mounts == WRITABLE[service]
    for folder in WRITABLE[service]:
        assert in_shell(stack, service, f"f=$(mktemp {folder}/x.XXXXXX) && rm $f") == ""


@pytest.mark.parametrize("service", SERVICES)
def test_limits_and_ends_are_set(stack: Stack, service: str) -> None:
    config = host_config(stack, service)
    assert config["Init"] is True
    assert 0 < config["PidsLimit"] <= 512
    assert config["RestartPolicy"]["Name"] == "unless-stopped"
    assert config["LogConfig"]["Type"] == "json-file"
    assert set(config["LogConfig"]["Config"]) == {"max-size", "max-file"}
    assert not config["Privileged"]
    whole = stack.container(service).attrs["Config"]
    assert whole["StopTimeout"] >= 30
    assert whole["Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_shows_in_a_command_line_or_an_image(stack: Stack, service: str) -> None:
    values = {name: stack.env[name] for name in SECRETS}
    lines = in_shell(stack, service, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    image = stack.container(service).image
    assert image
    built = json.dumps([image.attrs, image.history()])
    assert [name for name, value in values.items() if value in lines or value in built] == []
    # What the build was given and what its layers set.
    named = re.findall(r"\w*(?:PASSWORD|API_KEY|SECRET)\w*=\S+", built)
    assert named == []


@pytest.mark.parametrize("service", SERVICES)
def test_each_container_has_no_other_secrets_than_it_needs(stack: Stack, service: str) -> None:
    needed = {
        "postgres": set(ROLES.values()),
        "redis": {"REDIS_PASSWORD"},
        "qdrant": {"QDRANT_API_KEY"},
        "app": {"DATABASE_PASSWORD", "DATABASE_OWNER_PASSWORD", "REDIS_PASSWORD", "QDRANT_API_KEY"},
        "worker": {"DATABASE_PASSWORD", "REDIS_PASSWORD", "QDRANT_API_KEY"},
    }
    environment = "\n".join(stack.container(service).attrs["Config"]["Env"])
    assert {name for name in SECRETS if stack.env[name] in environment} == needed[service]
