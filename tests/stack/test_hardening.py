"""What the compose files promise about the containers, asked of the engine and of themselves."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from .stacks import CHECKOUT, ROLES, SERVICES, Stack

SECRETS = (*ROLES.values(), "METRICS_TOKEN", "REDIS_PASSWORD", "QDRANT_API_KEY")
WRITABLE = {
    "postgres": {"/tmp", "/run/postgresql", "/var/lib/postgresql/data"},
    "pgbouncer": {"/tmp", "/var/lib/postgresql/data"},
    "redis": {"/tmp", "/data"},
    "qdrant": {"/tmp", "/qdrant/storage"},
    "app": {"/tmp", "/var/lib/mindgraph"},
    "worker": {"/tmp", "/var/lib/mindgraph"},
    "proxy": {"/tmp", "/config", "/data"},
    "prometheus": {"/tmp", "/prometheus"},
    "postgres-exporter": {"/tmp"},
    "redis-exporter": {"/tmp"},
}
IN_PRODUCTION = tuple(WRITABLE)
PLACES = [
    *(("unharmed_stack", service) for service in SERVICES),
    *(("unharmed_production", service) for service in IN_PRODUCTION),
]
FOR_APP = {"DATABASE_PASSWORD", "METRICS_TOKEN", "QDRANT_API_KEY", "REDIS_PASSWORD"}
NEEDED = {
    "postgres": set(ROLES.values()),
    "pgbouncer": {"DATABASE_PASSWORD"},
    "redis": {"REDIS_PASSWORD"},
    "qdrant": {"QDRANT_API_KEY"},
    "app": FOR_APP | {"DATABASE_OWNER_PASSWORD"},
    "worker": FOR_APP,
    "proxy": set(),
    "prometheus": {"METRICS_TOKEN", "QDRANT_API_KEY"},
    "postgres-exporter": {"DATABASE_READONLY_PASSWORD"},
    "redis-exporter": {"REDIS_PASSWORD"},
}


class Place(NamedTuple):
    """A service of a stack of development or of production."""

    stack: Stack
    service: str

    @property
    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stack.container(self.service).attrs
        return found

    def shell(self, script: str) -> str:
        # Not every image has bash.
        done = self.stack.run_in(self.service, "sh", "-c", script)
        return done.stdout + done.stderr

    def processes(self) -> list[dict[str, str]]:
        """The status of every process that was there before this look at it."""
        script = "for f in /proc/[0-9]*/status; do tr '\\n' '|' <$f 2>/dev/null; echo; done"
        lines = [line.split("|") for line in self.shell(script).splitlines()]
        found = [dict(part.split(":\t", 1) for part in line if ":\t" in part) for line in lines]
        return [one for one in found if one and one["Name"] not in ("sh", "tr", "busybox")]


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0].removeprefix('unharmed_')}-{place[1]}")
def place(request: pytest.FixtureRequest) -> Place:
    fixture, service = request.param
    return Place(request.getfixturevalue(fixture), service)


def test_no_process_is_root_or_can_become_it(place: Place) -> None:
    found = place.processes()
    assert found
    for one in found:
        # init runs as the container's user as well.
        assert "0" not in one["Uid"].split(), one["Name"]
        assert int(one["CapEff"], 16) == int(one["CapBnd"], 16) == 0, one["Name"]
        assert one["NoNewPrivs"] == "1", one["Name"]


def test_only_volumes_and_memory_can_be_written(place: Place) -> None:
    attributes = place.attributes
    assert attributes["HostConfig"]["ReadonlyRootfs"]
    assert "Read-only file system" in place.shell(": > /usr/local/bin/planted")
    tmpfs = set(attributes["HostConfig"]["Tmpfs"] or {})
    mounts = {mount["Destination"] for mount in attributes["Mounts"] if mount["RW"]}
    has_backups = place.stack.is_production and place.service == "postgres"
    backups = {"/var/lib/mindgraph-reports", "/var/lib/pgbackrest"}
    wanted = WRITABLE[place.service] | (backups if has_backups else set())
    assert tmpfs | mounts == wanted
    for folder in wanted:
        assert place.shell(f"f=$(mktemp {folder}/x.XXXXXX) && rm $f") == ""


def test_limits_and_ends_are_set(place: Place) -> None:
    attributes = place.attributes
    config = attributes["HostConfig"]
    assert config["Init"] is True
    assert 0 < config["PidsLimit"] <= 512
    assert config["RestartPolicy"]["Name"] == "unless-stopped"
    assert config["LogConfig"]["Type"] == "json-file"
    assert set(config["LogConfig"]["Config"]) == {"max-size", "max-file"}
    assert not config["Privileged"]
    assert attributes["Config"]["StopTimeout"] >= 30
    assert attributes["Config"]["Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.parametrize("service", IN_PRODUCTION)
def test_in_production_no_service_can_take_all_memory_and_all_cores(
    unharmed_production: Stack, service: str
) -> None:
    config = Place(unharmed_production, service).attributes["HostConfig"]
    cores = int(unharmed_production.env["CPU_CORES"])
    assert 0 < config["NanoCpus"] <= cores * 1_000_000_000
    assert config["Memory"] > 0
    # The kernel's own word for it, wherever its version of cgroups has it.
    limit = Place(unharmed_production, service).shell(
        "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
    )
    assert limit.split() == [str(config["Memory"])]


def test_no_secret_shows_in_a_command_line_or_an_image(place: Place) -> None:
    values = {name: place.stack.env[name] for name in SECRETS}
    lines = place.shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    image = place.stack.container(place.service).image
    assert image
    built = json.dumps([image.attrs, image.history()])
    assert [name for name, value in values.items() if value in lines or value in built] == []
    # What the build was given and what its layers set.
    named = re.findall(r"\w*(?:PASSWORD|API_KEY|SECRET)\w*=\S+", built)
    assert named == []


def test_each_container_has_no_other_secrets_than_it_needs(place: Place) -> None:
    """In production as files, which only the service's user can read; else in the environment."""
    stack = place.stack
    environment = "\n".join(place.attributes["Config"]["Env"])
    files = place.shell("cat /run/secrets/* 2>/dev/null")
    shown = {name for name in SECRETS if stack.env[name] in environment}
    held = {name for name in SECRETS if stack.env[name] in files}
    needed = NEEDED[place.service]
    assert (shown, held) == ((set(), needed) if stack.is_production else (needed, set()))
    modes = place.shell("stat -c %a /run/secrets/* 2>/dev/null").split()
    assert set(modes) <= {"400"}


def test_the_guide_s_table_is_what_the_engine_says(unharmed_production: Stack) -> None:
    rows = [row(Place(unharmed_production, service)) for service in IN_PRODUCTION]
    text = (CHECKOUT / "docs/operations.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `[a-z-]+` \| \d+ \| .*\|$", text, re.M)
    assert told == rows, "\n".join(rows)


def row(place: Place) -> str:
    attributes = place.attributes
    config = attributes["HostConfig"]
    limits = [config["ReadonlyRootfs"], config["CapDrop"] == ["ALL"], not config["CapAdd"]]
    limits += ["no-new-privileges:true" in config["SecurityOpt"], not config["Privileged"]]
    limits += [config["Init"], config["PidsLimit"], config["Memory"], config["NanoCpus"]]
    writes = [mount["Destination"] for mount in attributes["Mounts"] if mount["RW"]]
    networks = attributes["NetworkSettings"]["Networks"]
    published = config["PortBindings"] or {}
    cells = [
        f"`{place.service}`",
        place.shell("id -u").strip(),
        "yes" if all(limits) else "NO",
        ", ".join(f"`{folder}`" for folder in sorted(writes)),
        ", ".join(sorted(name.removeprefix(f"{place.stack.project}_") for name in networks)),
        ", ".join(sorted(published)),
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
