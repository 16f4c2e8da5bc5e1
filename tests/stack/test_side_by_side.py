"""Two stacks on one machine do not meet, and data services are reached by their own stack alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from socket import inet_ntoa
from struct import pack

import httpx
import pytest

from .people import Person
from .stacks import Stack, running

DATA_SERVICES = {"postgres": 5432, "redis": 6379, "qdrant": 6333}
# The destination of a default route.
ZERO = "00000000"
# Says "open", or why there is no connection.
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1.5).close()
    print("open")
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def stack(unharmed_stack: Stack) -> Stack:
    return unharmed_stack


@pytest.fixture(scope="module")
def other() -> Iterator[Stack]:
    with running() as stack:
        yield stack


def addresses(stack: Stack, service: str) -> list[str]:
    networks = stack.container(service).attrs["NetworkSettings"]["Networks"]
    return [network["IPAddress"] for network in networks.values()]


def connects(stack: Stack, service: str, host: str, port: int) -> str:
    done = stack.run_in(service, "python3", "-c", CONNECT, host, str(port))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def owned(stack: Stack) -> dict[str, set[str]]:
    containers = stack.containers()
    ports = [list(one.ports.values()) for one in containers]
    return {
        "networks": {n for one in containers for n in one.attrs["NetworkSettings"]["Networks"]},
        "volumes": {m["Name"] for one in containers for m in one.attrs["Mounts"] if "Name" in m},
        "ports": {p["HostPort"] for many in ports for found in many for p in found or []},
        "names": {one.name or "" for one in containers},
    }


def test_two_stacks_share_no_network_volume_port_or_name(stack: Stack, other: Stack) -> None:
    ours, theirs = owned(stack), owned(other)
    assert all(ours.values())
    assert {kind for kind in ours if ours[kind] & theirs[kind]} == set()


def test_a_diagram_of_one_is_not_in_the_other(other: Stack, person: Person) -> None:
    diagram = person.save()
    stranger = Person(other.url)
    stranger.expect(404, "GET", f"/api/diagrams/{diagram}")
    assert other.sql("mindgraph_readonly", "SELECT count(*) FROM diagrams") == "0"
    token = {"Cookie": f"mindgraph_session={person.http.cookies['mindgraph_session']}"}
    answer = httpx.get(f"{other.url}/api/auth/me", headers=token, trust_env=False)
    assert answer.status_code == 401
    stranger.close()


@pytest.mark.parametrize(("service", "port"), DATA_SERVICES.items())
def test_a_data_service_is_reached_by_its_own_stack_alone(
    stack: Stack, other: Stack, service: str, port: int
) -> None:
    (address,) = addresses(stack, service)
    assert connects(stack, "worker", address, port) == "open"
    for stranger in ("app", "worker"):
        assert connects(other, stranger, address, port) != "open"


def test_only_the_app_is_published_and_only_on_the_loopback(stack: Stack) -> None:
    published = {
        str(one.labels["com.docker.compose.service"]): [
            binding["HostIp"] for found in one.ports.values() for binding in found or []
        ]
        for one in stack.containers()
    }
    assert published.pop("app") == ["127.0.0.1"]
    assert set(published) == {*DATA_SERVICES, "worker"}
    assert not any(published.values())


def test_the_data_network_has_no_way_out(stack: Stack) -> None:
    """The neighbours of this machine stand for the world outside."""
    outside = neighbours()
    # The control: with a way out there is an answer, be it a refusal.
    answering = [one for one in outside if answers(stack, "edge", one)]
    assert answering, f"none of {outside} answers, so that nothing would be proven"
    assert [one for one in answering if answers(stack, "data", one)] == []
    for service in DATA_SERVICES:
        (network,) = stack.container(service).attrs["NetworkSettings"]["Networks"]
        assert network == f"{stack.project}_data", service
        assert stack.engine.networks.get(network).attrs["Internal"], service


def neighbours() -> list[str]:
    """The addresses of this machine's gateway and name servers."""
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    gateways = [inet_ntoa(pack("<L", int(route[2], 16))) for route in routes if route[1] == ZERO]
    lines = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    servers = [line[1] for line in lines if len(line) > 1 and line[0] == "nameserver"]
    return [*gateways, *(one for one in servers if not one.startswith("127."))]


def answers(stack: Stack, network: str, host: str) -> bool:
    """To a container that is in this network alone."""
    said = stack.engine.containers.run(
        str(stack.container("app").attrs["Image"]),
        ["-c", CONNECT, host, "53"],
        entrypoint="python3",
        network=f"{stack.project}_{network}",
        remove=True,
    )
    return said.decode().startswith(("open", "ConnectionRefusedError"))
