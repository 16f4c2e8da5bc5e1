"""What `mindgraph doctor` says of Docker, of the stack's containers and of its pooler."""

from pathlib import Path
from typing import Any

import pytest
from host.checks import containers, engine, pooler

SERVER = {
    "CgroupVersion": "2",
    "CpuCfsQuota": True,
    "MemoryLimit": True,
    "OperatingSystem": "Ubuntu 24.04 LTS",
    "PidsLimit": True,
    "ServerVersion": "28.2.2",
}


@pytest.mark.parametrize(
    ("docker", "compose", "statuses"),
    [
        ("28.2.2", "2.40.3\n", ["ok", "ok"]),
        ("20.10.24+dfsg1", "v2.24.4", ["ok", "ok"]),
        ("19.03.15", "2.24.3", ["failure", "failure"]),
        ("29.0.0", "5.0.0-rc.1", ["ok", "ok"]),
        ("29.0.0", None, ["ok", "failure"]),
    ],
)
def test_too_old_versions_are_told(docker: str, compose: str | None, statuses: list[str]) -> None:
    found = engine.versions({**SERVER, "ServerVersion": docker}, compose, "6.8.0-63-generic")
    assert [one.status for one in found[:2]] == statuses
    assert found[2].seen == "6.8.0-63-generic, Ubuntu 24.04 LTS"


@pytest.mark.parametrize(
    ("client", "data", "status"),
    [
        ("/usr/bin/docker", "/var/lib/docker", "ok"),
        ("/snap/docker/2932/bin/docker", "/var/lib/docker", "failure"),
        ("/usr/bin/docker", "/var/snap/docker/common/var-lib-docker", "failure"),
    ],
)
def test_a_docker_that_is_a_snap_is_told(client: str, data: str, status: str) -> None:
    assert engine.origin(Path(client), data).status == status


def test_limits_without_effect_are_told() -> None:
    assert engine.limits(SERVER).status == "ok"
    found = engine.limits({**SERVER, "MemoryLimit": False})
    assert found.status == "warning"
    assert "limits of memory have no effect" in found.seen


def container(service: str, **state: Any) -> dict[str, Any]:
    restarts = state.pop("RestartCount", 0)
    health = state.pop("health", "healthy")
    running = {"Running": True, "Status": "running", "ExitCode": 0, "OOMKilled": False}
    return {
        "Config": {"Labels": {containers.SERVICE: service}},
        "Name": f"/x-{service}-1",
        "RestartCount": restarts,
        "State": {**running, **state, "Health": {"Status": health}},
    }


def test_containers_with_which_all_is_well_take_one_line() -> None:
    found = containers.examine([container("app"), container("redis")], ["app", "redis"])
    assert [(one.check, one.status) for one in found] == [("containers", "ok")]
    assert found[0].seen.startswith("2 of 2 run")


@pytest.mark.parametrize(
    ("state", "status", "seen"),
    [
        ({"OOMKilled": True}, "failure", "the kernel has killed it for its memory"),
        (
            {"Running": False, "Status": "exited", "ExitCode": 3},
            "failure",
            "does not run: exited, exit code 3",
        ),
        ({"health": "unhealthy"}, "failure", "runs, and is not healthy"),
        ({"health": "starting"}, "warning", "is still starting"),
        ({"RestartCount": 2}, "warning", "has been restarted 2 times"),
    ],
)
def test_what_is_wrong_with_a_container_is_told(
    state: dict[str, Any], status: str, seen: str
) -> None:
    well, bad = containers.examine([container("redis"), container("app", **state)], ["app"])
    assert well.seen.startswith("1 of 2 run")
    assert (bad.check, bad.status, bad.seen) == ("container-app", status, seen)
    assert bad.fix


def test_a_service_without_a_container_is_told() -> None:
    _, missing = containers.examine([container("redis")], ["app", "redis"])
    assert (missing.check, missing.status) == ("container-app", "failure")


def test_a_stack_that_does_not_run_is_one_warning() -> None:
    (found,) = containers.examine([], ["app", "redis"])
    assert found.status == "warning"


def pooled(**changes: str) -> dict[str, Any]:
    def of(*names: str) -> dict[str, str]:
        return {name: changes.get(name, "") for name in names}

    return {
        "services": {
            "app": {"environment": of("WEB_WORKERS", "WEB_THREADS")},
            "pgbouncer": {"environment": of("PGBOUNCER_CLIENTS", "PGBOUNCER_POOL_SIZE")},
            "postgres": {"environment": of("POSTGRES_MAX_CONNECTIONS")},
        }
    }


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"WEB_WORKERS": "50"}, "PGBOUNCER_CLIENTS"),
        ({"PGBOUNCER_POOL_SIZE": "90"}, "PGBOUNCER_POOL_SIZE"),
        ({"POSTGRES_MAX_CONNECTIONS": "40"}, "POSTGRES_MAX_CONNECTIONS"),
    ],
)
def test_a_pooler_that_does_not_fit_is_told(changes: dict[str, str], fix: str) -> None:
    (found,) = pooler.examine(pooled(**changes))
    assert found.status == "failure"
    assert fix in found.fix


def test_the_pooler_of_production_fits_as_it_is() -> None:
    (found,) = pooler.examine(pooled())
    assert found.status == "ok"
    assert "lets in 500, of which app and worker may need 27; makes 25" in found.seen


def test_without_a_pooler_there_is_nothing_to_tell() -> None:
    assert pooler.examine({"services": {"app": {}}}) == []
