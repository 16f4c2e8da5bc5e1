"""The base images of Prometheus and of the exporters, official or offline, are alike in what is
needed of them here."""

from typing import NamedTuple

import docker
import pytest

from tests.stack.base_images import ROOT, run_images


class Contract(NamedTuple):
    entrypoint: str
    users: set[str]
    port: str
    volumes: set[str]


CONTRACTS = {
    "prom/prometheus": Contract("/bin/prometheus", {"nobody"}, "9090/tcp", {"/prometheus"}),
    "postgres-exporter": Contract("/bin/postgres_exporter", {"nobody"}, "9187/tcp", set()),
    "redis_exporter": Contract("/redis_exporter", {"59000:59000"}, "9121/tcp", set()),
}


@pytest.fixture(scope="module")
def images() -> dict[str, str]:
    """Their names, by the part that tells them apart."""
    files = f"{ROOT / 'compose.yaml'}:{ROOT / 'compose.prod.yaml'}"
    done = run_images("ensure", COMPOSE_FILE=files, COMPOSE_PROFILES="metrics")
    assert done.returncode == 0, done.stderr
    named = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    return {part: next(one for one in named if part in one) for part in CONTRACTS}


@pytest.mark.parametrize("part", CONTRACTS)
def test_program_user_port_and_volume_are_the_official_ones(
    images: dict[str, str], part: str
) -> None:
    client = docker.from_env()
    config = client.images.get(images[part]).attrs["Config"]
    contract = CONTRACTS[part]
    assert config["Entrypoint"] == [contract.entrypoint]
    assert config["User"] in contract.users
    assert contract.port in config["ExposedPorts"]
    assert set(config.get("Volumes") or {}) == contract.volumes
    client.close()


@pytest.mark.parametrize("part", CONTRACTS)
def test_it_has_what_the_health_check_is_made_of(images: dict[str, str], part: str) -> None:
    client = docker.from_env()
    script = "command -v wget timeout sleep date; sleep 0.1 && timeout 1 true && echo well"
    said = client.containers.run(
        images[part], ["-c", script], entrypoint="sh", network_mode="none", remove=True
    )
    client.close()
    assert said.decode().splitlines()[-1] == "well"


def test_prometheus_comes_with_what_tests_its_rules(images: dict[str, str]) -> None:
    client = docker.from_env()
    said = client.containers.run(
        images["prom/prometheus"], ["-c", "promtool --version"], entrypoint="sh", remove=True
    )
    client.close()
    assert b"version 2.53" in said
