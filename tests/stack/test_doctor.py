"""`deploy/mindgraph doctor` looks at this machine and at real stacks."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import Any

import pytest

from .stacks import CHECKOUT, ROLES, Stack, bare_environment

COMMAND = CHECKOUT / "deploy" / "mindgraph"
SECRETS = (*ROLES.values(), "REDIS_PASSWORD", "QDRANT_API_KEY")
# What the machine that runs the tests is to blame for, and not the stack.
OF_THE_MACHINE = {"cores", "memory", "disk-checkout", "disk-docker", "clock", "overcommit"}
OF_THE_MACHINE |= {"huge-pages", "cgroup", "checkout"}
OF_THE_MACHINE |= {"disk-files", "disk-postgres", "disk-qdrant", "disk-redis"}


def doctor(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "doctor", *arguments],
        env={**bare_environment(), "MINDGRAPH_ENV_FILE": str(stack.env_file)},
        capture_output=True,
        text=True,
        check=False,
    )


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    found = json.loads(done.stdout)["checks"]
    return {one["check"]: one for one in found if one["check"] not in OF_THE_MACHINE}


def problems(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: one["status"] for name, one in found.items() if one["status"] != "ok"}


def test_a_fresh_stack_of_development_has_no_problem(stack: Stack) -> None:
    found = checks(doctor(stack, "--json"))
    assert problems(found) == {}
    of_app = {name for name, one in found.items() if one["where"] == "app"}
    assert {"database", "schema", "redis", "qdrant", "worker", "archive", "versions"} <= of_app
    assert found["containers"]["seen"].startswith("5 of 5 run")
    assert "did a job" in found["worker"]["seen"]


def test_people_see_one_line_a_check_and_the_sum(stack: Stack) -> None:
    done = doctor(stack)
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert last.endswith("failure: 0")
    said = [line for line in lines if not line.lstrip().startswith("fix:")]
    assert {line.split()[0] for line in said} <= {"ok", "warning"}
    # Problems come last.
    assert said == sorted(said, key=lambda line: line.split()[0] == "warning")


def test_a_report_names_no_secret_and_no_host(stack: Stack) -> None:
    done = doctor(stack, "--report")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in SECRETS:
        assert stack.env[name] not in done.stdout
    assert stack.project not in done.stdout
    assert str(CHECKOUT) not in done.stdout
    assert f"{socket.gethostname()}" not in done.stdout.split()
    assert "seen by the machine" in done.stdout
    assert "seen by the app" in done.stdout
    assert "DATABASE_PASSWORD=[set]" in done.stdout


def test_a_stopped_service_is_a_failure_with_its_fix(stack: Stack) -> None:
    stack.compose("stop", "redis")
    done = doctor(stack, "--json")
    assert done.returncode == 1
    found = checks(done)
    assert problems(found) == {
        "container-redis": "failure",
        "redis": "failure",
        "worker": "failure",
    }
    assert "docker compose up -d redis" in found["container-redis"]["fix"]
    stack.up()


def test_a_killed_container_is_remembered(stack: Stack) -> None:
    stack.run_in("redis", "bash", "-c", "kill -9 $(pidof redis-server)")
    stack.wait(lambda: stack.container("redis").attrs["RestartCount"], "it has been restarted")
    stack.wait_until_well()
    found = checks(doctor(stack, "--json"))
    assert problems(found) == {"container-redis": "warning"}
    assert found["container-redis"]["seen"] == "has been restarted 1 times"


def test_an_env_file_with_a_slip_is_told(stack: Stack) -> None:
    stack.set(WEB_WORKER="3", QDRANT_API_KEY=stack.env["REDIS_PASSWORD"])
    found = problems(checks(doctor(stack, "--json")))
    assert found["env-names"] == found["shared-secrets"] == "warning"


def test_a_stack_that_does_not_run_is_a_warning(stack: Stack) -> None:
    stack.down()
    done = doctor(stack, "--json")
    found = checks(done)
    assert found["containers"]["status"] == "warning"
    assert "database" not in found
    assert "is free for app" in found["port-app"]["seen"]


def test_a_port_that_somebody_else_holds_is_a_failure(stack: Stack) -> None:
    stack.down()
    with socket.create_server(("127.0.0.1", int(stack.env["APP_PORT"]))):
        done = doctor(stack, "--json")
    assert done.returncode == 1
    assert "held by" in checks(done)["port-app"]["seen"]


def test_one_can_look_at_some_parts_only(stack: Stack) -> None:
    stack.up()
    done = doctor(stack, "--only", "disks,images", "--json")
    found = {one["check"] for one in json.loads(done.stdout)["checks"]}
    of_images = {f"image-{name}" for name in ("app", "postgres", "qdrant", "redis", "worker")}
    of_disks = {f"disk-{name}" for name in ("files", "postgres", "qdrant", "redis")}
    assert found == of_images | of_disks | {"database-writes"}


def test_a_part_that_is_not_there_is_a_wrong_use(stack: Stack) -> None:
    done = doctor(stack, "--only", "disks,weather")
    assert done.returncode == 2
    assert "by the name weather; there is machine, files, engine" in done.stderr


@pytest.mark.parametrize(
    "check",
    ["archive-gaps", "certificate", "certificate-authority", "certificate-inside", "pooler"],
)
def test_production_has_checks_of_its_own(unharmed_production: Stack, check: str) -> None:
    found = checks(doctor(unharmed_production, "--json"))
    assert found[check]["status"] == "ok"
