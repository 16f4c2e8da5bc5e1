"""The containers of the stack: whether they run, are healthy, and stay so."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from host.checks.finding import Finding, failure, ok, warning

SERVICE = "com.docker.compose.service"


def service(container: Mapping[str, Any]) -> str:
    return str(container["Config"]["Labels"].get(SERVICE, container["Name"].lstrip("/")))


def running(containers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The services with a container that runs."""
    return [service(one) for one in containers if one["State"]["Running"]]


def examine(containers: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> list[Finding]:
    """
    Args:
        containers: as `docker inspect` tells them.
        wanted: the services of the stack.
    """
    if not containers:
        return [warning("containers", "the stack does not run", "start it: `make up`")]
    problems = [found for found in map(_examine, containers) if found]
    there = {service(one) for one in containers}
    problems += [
        failure(f"container-{name}", "is not there", "`make up` makes it")
        for name in wanted
        if name not in there
    ]
    well = sum(1 for one in containers if not _examine(one))
    seen = f"{well} of {len(containers)} run, are healthy, and never fell"
    return [ok("containers", seen), *problems]


def _examine(container: Mapping[str, Any]) -> Optional[Finding]:
    """None for one with which all is well."""
    name = service(container)
    check, state = f"container-{name}", container["State"]
    logs = f"`docker compose logs --tail 50 {name}` says why"
    if state.get("OOMKilled"):
        fix = f"raise its memory ({name.upper()}_MEMORY_MB in .env where it has one); {logs}"
        return failure(check, "the kernel has killed it for its memory", fix)
    if not state["Running"]:
        seen = f"does not run: {state['Status']}, exit code {state['ExitCode']}"
        return failure(check, seen, f"`docker compose up -d {name}`; {logs}")
    health = state.get("Health", {}).get("Status", "healthy")
    if health == "unhealthy":
        return failure(check, "runs, and is not healthy", logs)
    if health == "starting":
        return warning(check, "is still starting", "wait, then `make doctor` again")
    if container.get("RestartCount"):
        return warning(check, f"has been restarted {container['RestartCount']} times", logs)
    return None
