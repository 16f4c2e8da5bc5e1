"""Fixtures of the base images' contract tests, which load this module as a plugin."""

from collections.abc import Iterator

import docker
import pytest

from tests.stack.base_images import Containers, references, run_images


@pytest.fixture(scope="session")
def base_client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def base_containers(base_client: docker.DockerClient) -> Iterator[Containers]:
    with Containers(base_client) as containers:
        yield containers


@pytest.fixture(scope="session")
def base_images() -> dict[str, str]:
    done = run_images("ensure")
    assert done.returncode == 0, done.stderr
    return references(done.stdout)
