"""Docker: its versions, where it comes from, and whether the limits of the stack take effect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Mapping, Optional

from host.checks.finding import Finding, failure, ok, warning

OLDEST_ENGINE = (20, 10)
# compose.prod.yaml takes away and replaces what compose.yaml has.
OLDEST_COMPOSE = (2, 24, 4)
INSTALL = "install a newer one: `make engine` says how"


def versions(server: Mapping[str, Any], compose: Optional[str], kernel: str) -> list[Finding]:
    """
    Args:
        server: what `docker info` says, as JSON.
        compose: what `docker compose version --short` says.
        kernel: its release.
    """
    engine = str(server.get("ServerVersion", ""))
    found = [
        _version("docker", engine, OLDEST_ENGINE),
        _version("compose", (compose or "").strip(), OLDEST_COMPOSE),
    ]
    return [*found, ok("kernel", f"{kernel}, {server.get('OperatingSystem', 'unknown')}")]


def _version(check: str, found: str, oldest: tuple[int, ...]) -> Finding:
    if not found:
        return failure(check, "no answer", INSTALL)
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:3])
    if numbers >= oldest:
        return ok(check, found)
    needed = ".".join(map(str, oldest))
    return failure(check, f"{found}, but {needed} is the oldest that works", INSTALL)


def origin(client: Path, data: str) -> Finding:
    """
    Args:
        client: the program `docker`, without links.
        data: the folder of the engine's data.
    """
    if "snap" in client.parts or data.startswith("/var/snap/"):
        return failure(
            "docker-origin",
            "Docker is a snap, which sees only some folders and is restarted by updates",
            "`sudo snap remove docker`, then `make engine` says how to install it",
        )
    return ok("docker-origin", f"{client} is no snap")


def limits(server: Mapping[str, Any]) -> Finding:
    version = server.get("CgroupVersion", "unknown")
    missing = [
        what
        for what, key in (("memory", "MemoryLimit"), ("cpu", "CpuCfsQuota"), ("pids", "PidsLimit"))
        if not server.get(key)
    ]
    if not missing:
        return ok("cgroup", f"version {version}, limits of memory, cpu and processes take effect")
    return warning(
        "cgroup",
        f"version {version}, limits of {', '.join(missing)} have no effect",
        "add cgroup_enable=memory to the kernel's command line, or use cgroup version 2",
    )
