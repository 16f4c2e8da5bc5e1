"""Nothing that a test's stack made outlives the run, however the run ends.

Each project has a folder with a lock that its process holds: a folder whose lock is free belongs to
a run that is dead. A small process beside each run waits for that run's end and then removes what
is left; should it die as well (the machine went down), the next run does the same at its start.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

import docker
from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.networks import Network

HOME = Path(tempfile.gettempdir()) / f"mindgraph-stacks-{os.getuid()}"
PREFIX = "mg-test-"

_held: dict[Path, IO[bytes]] = {}
_watcher: list[subprocess.Popen[bytes]] = []


def reserve() -> Path:
    """A folder, readable by nobody else, whose name is a project's and is this process's own."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    with _all_folders():
        folder = HOME / f"{PREFIX}{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        lock = (folder / "lock").open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
    _held[folder] = lock
    _watch()
    return folder


class Reserved:
    """Something on the engine that is named after a folder of its own, and goes with it."""

    engine: DockerClient
    folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        remove(self.engine, self.folder)
        self.engine.close()


def remove(engine: DockerClient, folder: Path) -> None:
    """Removes all that the folder's project has on the engine, and then the folder."""
    filters: Any = {"label": f"com.docker.compose.project={folder.name}"}
    for container in engine.containers.list(all=True, ignore_removed=True, filters=filters):
        _surely(lambda it=container: it.remove(force=True, v=True))
    for volume in engine.volumes.list(filters=filters):
        _free(engine, str(volume.name))
        _surely(lambda it=volume: it.remove(force=True))
    for network in engine.networks.list(filters=filters):
        _surely(lambda it=network: _cut(it))
    for image in engine.images.list(filters={"reference": f"{folder.name}-*"}):
        for tag in image.tags:
            if tag.startswith(f"{folder.name}-"):
                _surely(lambda it=tag: engine.images.remove(it, force=True))
    lock = _held.pop(folder, None)
    if lock:
        lock.close()
    shutil.rmtree(folder, ignore_errors=True)


def _free(engine: DockerClient, volume: str) -> None:
    """From an operation on the stack that goes on after the test was killed."""
    for container in engine.containers.list(all=True, filters={"volume": volume}):
        _surely(lambda it=container: it.remove(force=True, v=True))


def _cut(network: Network) -> None:
    """Others may be on it: a proxy of another dead run, which asked an authority there."""
    network.reload()
    for container in network.containers:
        network.disconnect(container, force=True)
    network.remove()


def remove_those_of_dead_runs() -> list[str]:
    """The names of the projects that were removed."""
    if not HOME.exists():
        return []
    engine, removed = docker.from_env(), []
    try:
        with _all_folders():
            for folder in HOME.glob(f"{PREFIX}*"):
                if folder not in _held and _is_free(folder / "lock"):
                    remove(engine, folder)
                    removed.append(folder.name)
    finally:
        engine.close()
    return removed


def _is_free(lock: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextlib.contextmanager
def _all_folders() -> Iterator[None]:
    with (HOME / "all.lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _surely(removal: object) -> None:
    assert callable(removal)
    for attempt in range(5):
        try:
            removal()
        except NotFound:
            return
        except APIError:
            # The engine is still busy with it: a removal already under way, a container that ends.
            if attempt == 4:
                raise
            time.sleep(0.5 * (attempt + 1))
        else:
            return


def _watch() -> None:
    if not _watcher:
        # The pipe closes when this process ends, in whatever way. A session of its own, because
        # Ctrl-C reaches every process of the terminal's group.
        _watcher.append(
            subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True
            )
        )
        atexit.register(_watcher[0].communicate)


def main() -> None:
    sys.stdin.read()
    names = remove_those_of_dead_runs()
    if not names:
        return
    # A `docker compose up` that lost its parent may go on creating for a while.
    engine = docker.from_env()
    for pause_s in (5, 10):
        time.sleep(pause_s)
        for name in names:
            remove(engine, HOME / name)


if __name__ == "__main__":
    main()
