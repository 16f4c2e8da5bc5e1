"""Stops the containers that run with older passwords, keys or certificates than `secrets/` has.

Services read these files when they start, and for Compose a container is the same whatever is in
them. Times are compared, and not what this run has changed: an earlier one may have been killed
before it came here. Python 3.8's standard library only.
"""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from typing import Any

# They end last: the others may have something to save.
KEEPERS = ("postgres", "qdrant", "redis")
# The pooler goes on looking for its database at an address that it may no longer have.
NEEDS = {"pgbouncer": "postgres"}


class NotStopped(Exception):
    """Its text says why."""


def stop(project: str, written: dict[str, float]) -> None:
    """Those of a project that run, each with the time that it needs to end in good order.

    Args:
        written: by the service, when the newest of its files was, in seconds of the epoch.

    Raises:
        NotStopped: the engine refuses.
    """
    found = running(project)
    stale = {
        service_of(one)
        for one in found
        if started(one["State"]["StartedAt"]) < written.get(service_of(one), 0)
    }
    stale |= {service for service, needed in NEEDS.items() if needed in stale}
    for group in (stale - {*KEEPERS}, stale & {*KEEPERS}):
        ids = [str(one["Id"]) for one in found if service_of(one) in group]
        if ids:
            docker("stop", *ids)


def service_of(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def running(project: str) -> list[dict[str, Any]]:
    labels = (f"com.docker.compose.project={project}", "com.docker.compose.oneoff=False")
    ids = docker("ps", "--quiet", *(f"--filter=label={label}" for label in labels)).split()
    found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
    return found


def started(time: str) -> float:
    """In seconds of the epoch; the engine writes UTC, with nanoseconds."""
    seconds, _, fraction = time.rstrip("Z").partition(".")
    whole = datetime.strptime(f"{seconds}+0000", "%Y-%m-%dT%H:%M:%S%z")
    return whole.timestamp() + float(f"0.{fraction or 0}")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise NotStopped(f"`docker {arguments[0]}` failed: {said[-1000:]}")
    return done.stdout.decode()
