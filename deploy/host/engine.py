"""The docker command, for what is no business of Compose."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Mapping

from host.errors import HostError


def run(*arguments: str) -> str:
    """Returns what it said on stdout. Raises HostError with what it said on stderr."""
    done = subprocess.run(["docker", *arguments], capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise HostError(f"`docker {' '.join(arguments[:2])}` failed: {reason}")
    return done.stdout.decode(errors="replace")


def find_volume(name: str) -> dict[str, Any] | None:
    done = subprocess.run(["docker", "volume", "inspect", name], capture_output=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
    return found[0] if found else None


def ensure_network(name: str, project: str, key: str) -> None:
    """Where there is none, one as Compose would make it. `key` is its name in the compose files."""
    found = subprocess.run(["docker", "network", "inspect", name], capture_output=True, check=False)
    if found.returncode:
        labels = {"com.docker.compose.project": project, "com.docker.compose.network": key}
        run("network", "create", *(f"--label={key}={labels[key]}" for key in labels), name)


def make_volume(name: str, labels: Mapping[str, str]) -> None:
    run("volume", "create", *(f"--label={key}={labels[key]}" for key in labels), name)


def remove_volumes(*names: str) -> None:
    """Those that are there."""
    found = [name for name in names if find_volume(name)]
    if found:
        run("volume", "rm", "--force", *found)


def remove_containers(label: str) -> None:
    found = run("ps", "--all", "--quiet", f"--filter=label={label}").split()
    if found:
        run("rm", "--force", "--volumes", *found)
