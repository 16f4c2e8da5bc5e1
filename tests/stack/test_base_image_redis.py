"""The contract of the redis image, official or offline."""

import docker
import pytest
import redis
from docker.models.containers import Container

from tests.stack.base_images import (
    HARDENED,
    Containers,
    eventually,
    exit_code_after_stop,
    host_port,
    loopback,
    restarted,
)

pytest_plugins = ["tests.stack.base_image_fixtures"]


@pytest.fixture
def image(base_images: dict[str, str]) -> str:
    return base_images["redis"]


def ask(container: Container, *command: str, password: str | None = None) -> object:
    """The answer to one command from outside of the container, once the server is up."""

    def attempt() -> object:
        port = host_port(container, 6379)
        with redis.Redis(host="127.0.0.1", port=port, password=password) as client:
            try:
                answer: object = client.execute_command(*command)
            except redis.AuthenticationError as error:
                # One of redis-py's connection errors, but no reason to try again.
                raise PermissionError(str(error)) from error
            return answer

    return eventually(attempt, redis.ConnectionError)


def test_the_redis_image_states_its_contract(base_client: docker.DockerClient, image: str) -> None:
    config = base_client.images.get(image).attrs["Config"]
    assert "6379/tcp" in config["ExposedPorts"]
    assert "/data" in config["Volumes"]
    assert config["WorkingDir"] == "/data"
    assert config["Cmd"] == ["redis-server"]
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert not config["User"]


def test_redis_has_its_user_and_programs(base_containers: Containers, image: str) -> None:
    script = (
        "id -u redis; id -g redis; stat -c %U /data; "
        "for name in server cli benchmark check-aof check-rdb sentinel; do "
        "command -v redis-$name; done; redis-server --version | grep -o 'v=8'"
    )
    names = ("server", "cli", "benchmark", "check-aof", "check-rdb", "sentinel")
    programs = [f"/usr/local/bin/redis-{name}" for name in names]
    found = base_containers.output(image, ["sh", "-c", script]).splitlines()
    assert found == ["999", "999", "redis", *programs, "v=8"]


def test_redis_is_reached_from_outside_and_started_as_root_drops_to_its_user(
    base_containers: Containers, image: str
) -> None:
    container = base_containers.start(image, ports=loopback(6379))
    assert ask(container, "SET", "key", "value") is True
    status, output = container.exec_run(["stat", "-c", "%u %g", "/proc/1"])
    assert (status, output) == (0, b"999 999\n")


@pytest.mark.parametrize("first", [["redis-server"], []], ids=["named", "options only"])
def test_options_reach_redis(base_containers: Containers, image: str, first: list[str]) -> None:
    command = [*first, "--requirepass", "secret", "--maxmemory", "64mb"]
    container = base_containers.start(image, command, ports=loopback(6379))
    with pytest.raises(PermissionError):
        ask(container, "PING")
    answer = ask(container, "CONFIG", "GET", "maxmemory", password="secret")
    assert answer == {b"maxmemory": b"67108864"}


def test_a_configuration_file_alone_means_the_server(
    base_containers: Containers, image: str
) -> None:
    files: dict[str, str | bytes] = {"/etc/own.conf": "maxmemory 32mb\nprotected-mode yes\n"}
    container = base_containers.start(image, ["/etc/own.conf"], files=files)
    asked = ["redis-cli", "CONFIG", "GET", "maxmemory"]
    eventually(lambda: answered(container, asked, b"maxmemory\n33554432\n"), AssertionError)
    answered(container, ["redis-cli", "CONFIG", "GET", "protected-mode"], b"protected-mode\nyes\n")


def answered(container: Container, command: list[str], expected: bytes) -> None:
    status, output = container.exec_run(command)
    assert (status, output) == (0, expected)


def test_another_command_runs_instead_of_redis(base_containers: Containers, image: str) -> None:
    assert base_containers.output(image, ["sh", "-c", "echo own; id -u"]) == "own\n0"
    assert "v=8" in base_containers.output(image, ["redis-server", "--version"])


def test_redis_runs_as_its_user_on_a_read_only_root(
    base_containers: Containers, image: str
) -> None:
    volumes = {base_containers.volume(): {"bind": "/data", "mode": "rw"}}
    command = ["redis-server", "--appendonly", "yes"]
    container = base_containers.start(
        image, command, user="999:999", volumes=volumes, ports=loopback(6379), **HARDENED
    )
    assert ask(container, "SET", "key", "value") is True


def test_redis_stops_cleanly(base_containers: Containers, image: str) -> None:
    container = base_containers.start(image, ports=loopback(6379))
    ask(container, "PING")
    assert exit_code_after_stop(container) == 0


def test_redis_keeps_what_it_acknowledged_before_a_kill(
    base_containers: Containers, image: str
) -> None:
    command = ["--appendonly", "yes", "--appendfsync", "always"]
    container = base_containers.start(image, command, ports=loopback(6379))
    ask(container, "SET", "key", "kept")
    container.kill()
    restarted(container)
    eventually(lambda: ask(container, "PING"), redis.BusyLoadingError)
    assert ask(container, "GET", "key") == b"kept"
