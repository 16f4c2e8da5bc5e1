"""The service as processes of this machine, with the servers that it needs, and what they use."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.db.init import init_db
from app.settings import Settings
from tests import commands, databases
from tests.places import CHECKOUT
from tests.servers import HOST, Servers

PATIENCE_S = 60.0
# As production has them; the rest is the service's default.
SETTINGS: dict[str, Any] = {
    "diagram_quota": 1_000_000,
    "log_format": "json",
    "trusted_proxies": "127.0.0.0/8",
}


class NotServing(Exception):
    """A server did not start; the message has its last lines."""


@dataclass(frozen=True)
class Serving:
    """Processes that serve on a port of the loopback."""

    port: int
    process: psutil.Process

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor time of all of its processes so far."""
        used = 0.0
        for one in self.family():
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                used += times.user + times.system
        return used

    def memory_mb(self) -> float:
        """Of all of its processes; what they share counts once."""
        used = 0
        for one in self.family():
            with suppress(psutil.NoSuchProcess):
                used += one.memory_full_info().pss
        return used / 2**20


def settings_for(servers: Servers, place: str | Path, **changes: Any) -> Settings:
    """On a database of the server by its name, then with a `data_dir` among the changes, or in a
    folder with SQLite."""
    common: dict[str, Any] = SETTINGS | {
        "app_port": _free_port(),
        "environment": "test",
        "qdrant_api_key": servers.qdrant_api_key or None,
        "qdrant_url": f"http://{HOST}:{servers.qdrant_port}",
        "redis_host": HOST,
        "redis_password": servers.redis_password,
        "redis_port": servers.redis_port,
    }
    if isinstance(place, Path):
        return Settings.model_validate({"data_dir": place} | common | changes)
    return databases.settings_of(servers, place, **(common | changes))


@contextmanager
def serving(settings: Settings) -> Iterator[Serving]:
    """`mindgraph serve` with these settings, for the block."""
    init_db(settings)
    command = [str(commands.MINDGRAPH), "serve"]
    with _running(command, settings, "/healthz") as found:
        yield found


@contextmanager
def peer(name: str, settings: Settings, answer: str = "{}") -> Iterator[Serving]:
    """One of `benchmarks.load.peers`, for the block."""
    command = [sys.executable, "-m", "benchmarks.load.peers", name]
    with _running(command, settings, "/docs", {"ANSWER": answer}) as found:
        yield found


@contextmanager
def _running(
    command: list[str], settings: Settings, path: str, more: dict[str, str] | None = None
) -> Iterator[Serving]:
    values = commands.environment_of(settings)
    if settings.trusted_proxies:
        values["TRUSTED_PROXIES"] = ",".join(str(one) for one in settings.trusted_proxies)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=values | {"PYTHONPATH": str(CHECKOUT)} | (more or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, f"http://{HOST}:{settings.app_port}{path}", log)
            yield Serving(settings.app_port, psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with suppress(httpx.TransportError):
            httpx.get(url, timeout=5, trust_env=False)
            return
        if process.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            raise NotServing(log.read()[-3000:].decode(errors="replace"))
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def cores() -> int:
    return len(os.sched_getaffinity(0))
