"""What containers of servers use, and commands that run inside of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import docker
from docker.models.containers import Container

# What processes share counts once. A container's own figure has the pages of files in it.
PSS = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ { sum += $2 } END { print sum }'"


class CommandFailed(Exception):
    """A command inside of a container failed; the message has what it said."""


@contextmanager
def opened(container_id: str) -> Iterator[Container]:
    client = docker.from_env()
    try:
        yield client.containers.get(container_id)
    finally:
        client.close()


def cpu_s(container_id: str) -> float:
    """Processor time of all its processes so far."""
    with opened(container_id) as container:
        found = cast("dict[str, Any]", container.stats(stream=False, one_shot=True))
    return float(found["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def memory_mb(container_id: str) -> float:
    """Of all its processes that belong to the user of the image."""
    return float(run(container_id, ["bash", "-c", PSS]) or 0) / 1024


def address(container_id: str) -> str:
    """In the engine's default network."""
    with opened(container_id) as container:
        networks = container.attrs["NetworkSettings"]["Networks"]
    return str(networks["bridge"]["IPAddress"])


def run(
    container_id: str, command: Sequence[str], environment: dict[str, str] | None = None
) -> str:
    """What the command says. Raises CommandFailed."""
    with opened(container_id) as container:
        code, found = container.exec_run(list(command), environment=environment or {}, demux=True)
    said, complained = cast("tuple[bytes | None, bytes | None]", found)
    if code:
        raise CommandFailed(f"{command[0]}: {(complained or said or b'').decode()[-2000:]}")
    return (said or b"").decode()
