"""A server: systemd as PID 1 installs, starts, stops and looks after a whole production stack."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from . import kills
from .checkouts import copy_to
from .machines import Machine
from .people import MIND_MAP
from .stacks import Stack

SERVICES = ("postgres", "pgbouncer", "redis", "qdrant", "app", "worker", "proxy")
TIMERS = ("backup", "backup-full", "check", "rehearsal")
UNITS = ("mindgraph.service", *(f"mindgraph-{name}.service" for name in TIMERS))
# systemd's own measure, from 0 for locked up to 10 for unconfined.
EXPOSURE = {"mindgraph.service": 1.0, "mindgraph-check.service": 1.5}
PASSWORD = "correct horse battery staple 7"


class Server(NamedTuple):
    """A machine with the units installed, and the stack that they look after."""

    machine: Machine
    stack: Stack

    def wait_until_well(self) -> None:
        self.machine.wait(
            lambda: self.machine.unit("mindgraph.service")["ActiveState"] == "active",
            "the unit is active",
        )
        self.stack.wait_until_well()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A server with an engine and a checkout, where nothing is installed yet."""
    checkout = copy_to(tmp_path_factory.mktemp("server"))
    checkout.chmod(0o755)
    with Machine(checkout) as machine:
        machine.boot()
        machine.install_engine()
        yield machine


@pytest.fixture(scope="module")
def stack(machine: Machine) -> Iterator[Stack]:
    """With an env file of its own in the checkout, as `make env-prod` makes it; it does not run."""
    settings = {"COMPOSE_FILE": "compose.yaml:compose.prod.yaml", "SECRETS_DIR": "./secrets"}
    overlay = machine.checkout / "compose.prod.yaml"
    with Stack(overlay, settings=settings, checkout=machine.checkout) as stack:
        stack.env_file = machine.checkout / ".env"
        stack.set()
        stack.env_file.chmod(0o600)
        yield stack


@pytest.fixture(scope="module")
def server(machine: Machine, stack: Stack) -> Server:
    machine.shell("make install-systemd")
    return Server(machine, stack)


@pytest.fixture(scope="module")
def diagram(server: Server) -> dict[str, str]:
    """What somebody saved; with the account that may read it."""
    account = {"login": f"root-{secrets.token_hex(4)}@example.org", "password": PASSWORD}
    # The command that was installed, as a person on the server uses it.
    server.machine.shell(
        f"echo '{PASSWORD}' | mindgraph users create-admin {account['login']} --name Root"
    )
    with logged_in(server.stack, account) as browser:
        saved = browser.post("/api/diagrams", json=MIND_MAP)
        assert saved.status_code == 201, saved.text
    return {**account, "id": saved.json()["id"]}


@contextlib.contextmanager
def logged_in(stack: Stack, account: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=stack.url, verify=stack.verify, trust_env=False, timeout=60
    ) as browser:
        who = {name: account[name] for name in ("login", "password")}
        answer = browser.post("/api/auth/login", json=who)
        assert answer.status_code == 200, answer.text
        yield browser


def is_there(stack: Stack, diagram: dict[str, str]) -> bool:
    with logged_in(stack, diagram) as browser:
        found = browser.get(f"/api/diagrams/{diagram['id']}")
    assert found.status_code == 200, found.text
    return bool(found.json()["title"] == MIND_MAP["title"])


# Before


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("rm .env", "There is no .env and so no stack yet; run: make up-prod"),
        ("sed -i 's/^COMPOSE_FILE=.*/COMPOSE_FILE=compose.yaml/' .env", "start with: make up-prod"),
        ("export SERVICE_USER=nobody-here", "useradd nobody-here"),
        ("chmod 0700 .", "move it to /opt"),
        ("install -m 0600 /dev/null site.key; echo TLS_KEY=site.key >>.env", "setfacl -m u:"),
        ("mkdir 'a b'; cp -r deploy .env 'a b'; cd 'a b'", "move the checkout"),
        ("systemctl stop docker; trap 'systemctl start docker' EXIT", "systemctl start docker"),
    ],
)
def test_what_can_not_work_is_refused_with_what_helps(
    machine: Machine, stack: Stack, before: str, reason: str
) -> None:
    assert stack.env_file.exists()
    script = f"""
        rm -rf /srv/other; mkdir /srv/other; cp -r deploy compose.yaml .env /srv/other
        cd /srv/other
        {before}
        bash deploy/install.sh
    """
    refused = machine.run("bash", "-ec", script)
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert machine.shell("ls /etc/systemd/system | grep mindgraph || true") == ""


def test_only_root_can_install(machine: Machine) -> None:
    refused = machine.run("setpriv", "--reuid", "65534", "bash", "deploy/install.sh")
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        "This installs for the whole machine and needs root; run: sudo make install-systemd"
    )


# Installed


def test_the_stack_is_healthy_over_https_after_the_installation(
    server: Server, diagram: dict[str, str]
) -> None:
    assert server.stack.is_well()
    assert is_there(server.stack, diagram)
    unit = server.machine.unit("mindgraph.service")
    assert (unit["ActiveState"], unit["UnitFileState"], unit["User"]) == (
        *("active", "enabled", "mindgraph"),
    )
    assert server.machine.shell("systemctl --failed --quiet") == ""


def test_installing_again_changes_nothing(server: Server) -> None:
    def state() -> tuple[object, ...]:
        return (
            [one.attrs["State"]["StartedAt"] for one in server.stack.containers()],
            server.machine.shell("sha256sum /etc/systemd/system/mindgraph* 2>/dev/null || true"),
        )

    before = state()
    server.machine.shell("make install-systemd")
    assert state() == before


def test_all_timers_run_and_make_up_for_what_they_missed(server: Server) -> None:
    for name in TIMERS:
        timer = server.machine.unit(f"mindgraph-{name}.timer")
        assert (timer["ActiveState"], timer["UnitFileState"]) == ("active", "enabled")
        assert timer["Persistent"] == "yes"
        assert timer["RandomizedDelayUSec"] not in ("", "0")
        assert timer["NextElapseUSecRealtime"]


def test_systemd_finds_no_fault_with_the_units(server: Server) -> None:
    script = "cd /etc/systemd/system; systemd-analyze verify mindgraph*.service mindgraph*.timer"
    done = server.machine.run("bash", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", [*UNITS, "mindgraph-failure@x.service"])
def test_the_units_are_closed_as_far_as_the_docker_client_allows(server: Server, unit: str) -> None:
    said = server.machine.shell(f"systemd-analyze security --no-pager {unit} | tail -n 1")
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert found
    assert float(found[1]) <= EXPOSURE.get(unit, 1.5)


def test_a_stop_has_the_time_that_all_services_in_turn_may_take(server: Server) -> None:
    config = json.loads(server.stack.compose("config", "--format", "json").stdout)["services"]

    def seconds(name: str) -> float:
        above = [one for one, other in config.items() if name in other.get("depends_on", {})]
        own = float(config[name]["stop_grace_period"].removesuffix("s").replace("1m0", "60"))
        return own + max(map(seconds, above), default=0)

    limit = server.machine.unit("mindgraph.service")["TimeoutStopUSec"]
    assert limit == "5min"
    assert max(map(seconds, config)) <= 5 * 60 - 60


def test_the_daily_check_looks_at_certificates_images_and_the_machine(server: Server) -> None:
    # Its end is doctor's, who finds what he finds on this machine.
    server.machine.run("systemctl", "start", "mindgraph-check.service")
    told = [one["MESSAGE"] for one in server.machine.journal("--unit mindgraph-check.service")]
    for line in (
        r"ok image-postgres: is \d+ days old$",
        r"ok certificate-inside: good until .+ UTC, 8\d\d days from now$",
        r"\w+ disk-postgres: [0-9.]+ of [0-9.]+ GB free",
        r"ok database: ",
    ):
        assert any(re.match(line, one) for one in told), told


def test_the_units_back_up_and_rehearse_within_their_walls(server: Server) -> None:
    machine, stack = server
    for unit in ("mindgraph-backup", "mindgraph-rehearsal"):
        machine.shell(f"systemctl start {unit}.service")
        assert metric(machine, f"{unit}.service") == "0"
    listed = json.loads(machine.shell("mindgraph backups --json"))
    assert len(listed) == 1
    told = stack.run_in("app", "cat", "/var/lib/mindgraph-reports/rehearsal.prom").stdout
    assert "mindgraph_rehearsal_success 1\n" in told
    assert "mindgraph_rehearsal_time_seconds " in told


# Accidents


def test_a_killed_service_comes_back(server: Server, diagram: dict[str, str]) -> None:
    for service in ("redis", "app"):
        victim = kills.main_process_of(server.stack.container(service))
        kills.kill_and_wait_for_restart(server.stack, service, victim)
    server.wait_until_well()
    assert is_there(server.stack, diagram)


def test_after_a_power_cut_the_stack_is_back_without_a_hand(
    server: Server, diagram: dict[str, str]
) -> None:
    server.machine.cut_power()
    for container in server.stack.containers():
        container.kill()
    assert not server.stack.is_well()
    server.machine.boot()
    server.wait_until_well()
    assert is_there(server.stack, diagram)


def test_a_stop_ends_all_services_in_order_and_a_start_brings_them_back(
    server: Server, diagram: dict[str, str]
) -> None:
    server.machine.shell("systemctl stop mindgraph")
    ended = {name: server.stack.state(name) for name in SERVICES}
    assert [name for name in SERVICES if ended[name]["Running"]] == []
    # 137 would be the end of its patience.
    assert {name: state["ExitCode"] for name, state in ended.items()} == dict.fromkeys(SERVICES, 0)
    times = {name: state["FinishedAt"] for name, state in ended.items()}
    assert times["proxy"] < times["app"] < times["pgbouncer"] < times["postgres"]
    assert times["worker"] < times["pgbouncer"]
    server.machine.shell("systemctl start mindgraph")
    server.wait_until_well()
    assert is_there(server.stack, diagram)


def test_an_engine_that_is_late_is_waited_for_and_the_failure_told(server: Server) -> None:
    machine = server.machine
    machine.write("/etc/systemd/system/mindgraph.service.d/test.conf", "[Service]\nRestartSec=1s\n")
    machine.shell("systemctl stop mindgraph docker; systemctl mask --quiet --runtime docker")
    assert machine.run("systemctl", "start", "mindgraph").returncode == 1
    machine.wait(lambda: int(machine.unit("mindgraph.service")["NRestarts"]) >= 2, "it tries again")
    machine.shell("systemctl unmask --quiet --runtime docker; systemctl start docker")
    server.wait_until_well()
    told = machine.journal("MINDGRAPH_UNIT=mindgraph.service")
    assert "no Docker Engine answers; start it: systemctl start docker" in told[0]["MESSAGE"]


def test_an_engine_that_crashes_takes_the_stack_along_to_its_new_start(server: Server) -> None:
    machine = server.machine
    before = machine.unit("mindgraph.service")["InvocationID"]
    machine.shell("systemctl kill --signal KILL docker")
    machine.wait(
        lambda: machine.unit("mindgraph.service")["InvocationID"] not in ("", before),
        "the unit started anew",
    )
    server.wait_until_well()


def test_a_failing_timer_is_seen(server: Server) -> None:
    machine = server.machine
    folder = "/etc/systemd/system/mindgraph-backup"
    fails = "[Service]\nExecStart=\nExecStart=sh -c 'echo the disk is full >&2; exit 3'\n"
    soon = "[Timer]\nOnCalendar=\nOnActiveSec=1\nRandomizedDelaySec=0\nAccuracySec=1us\n"
    machine.write(f"{folder}.service.d/test.conf", fails)
    machine.write(f"{folder}.timer.d/test.conf", soon)
    hook = '#!/bin/sh\n{ echo "$1 $MINDGRAPH_RESULT"; cat; } >>/var/lib/mindgraph/called\n'
    machine.write("/etc/mindgraph/on-failure*", hook)
    machine.shell("systemctl daemon-reload; systemctl restart mindgraph-backup.timer")
    machine.wait(lambda: machine.journal("MINDGRAPH_UNIT=mindgraph-backup.service"), "it is told")
    told = machine.journal("MINDGRAPH_UNIT=mindgraph-backup.service")[0]
    assert told["PRIORITY"] == "3"
    assert told["MINDGRAPH_RESULT"] == "exit-code"
    assert told["MINDGRAPH_EXIT_STATUS"] == "3"
    message = "mindgraph-backup.service failed (exit-code, status 3): the disk is full"
    assert told["MESSAGE"] == message
    machine.wait(lambda: called(machine), "the hook is called")
    assert called(machine).startswith(f"mindgraph-backup.service exit-code\n{message}\n")
    logged = json.loads(machine.shell("tail -n 1 /var/log/mindgraph/failures.log"))
    assert (logged["unit"], logged["lines"]) == ("mindgraph-backup.service", "the disk is full")
    assert metric(machine, "mindgraph-backup.service") == "1"


def called(machine: Machine) -> str:
    return machine.run("cat", "/var/lib/mindgraph/called").stdout


def metric(machine: Machine, unit: str) -> str:
    lines = machine.shell(f"cat /var/lib/mindgraph/metrics/{unit}.prom").splitlines()
    values: dict[str, str] = dict(line.split(" ", 1) for line in lines if line[0] != "#")
    return values[f'mindgraph_unit_failed{{unit="{unit}"}}']


def test_what_went_well_clears_the_metric(server: Server) -> None:
    assert metric(server.machine, "mindgraph.service") == "0"


def test_the_log_is_rotated(server: Server) -> None:
    server.machine.shell(
        "echo x >>/var/log/mindgraph/failures.log; logrotate -f /etc/logrotate.d/mindgraph"
    )
    assert "failures.log.1" in server.machine.shell("ls /var/log/mindgraph")


# After


def test_nothing_is_left_after_the_removal_but_the_data(server: Server) -> None:
    machine, stack = server
    machine.shell("rm -rf /etc/mindgraph /etc/systemd/system/mindgraph*.d/test.conf /srv/other")
    machine.shell("rm -rf /etc/systemd/system/mindgraph-backup.*.d")
    machine.shell("make uninstall-systemd")
    left = machine.shell(
        "find / -xdev -not -path '/proc/*' -not -path '/var/log/journal/*' -name '*mindgraph*'"
    )
    assert left == ""
    assert machine.shell("systemctl list-units --all --quiet --plain 'mindgraph*'") == ""
    assert machine.shell("getent passwd mindgraph || true") == ""
    assert machine.shell("stat -c %U .env") == "root"
    assert [name for name in SERVICES if stack.state(name)["Running"]] == []
    volumes: Any = {"label": f"com.docker.compose.project={stack.project}"}
    assert len(stack.engine.volumes.list(filters=volumes)) >= 5
