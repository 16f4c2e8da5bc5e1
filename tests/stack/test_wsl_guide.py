"""docs/wsl.md does what it says: each command of it is run here, word for word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.cli import processes

from . import checkouts, guides
from .guides import Reader
from .machines import Machine
from .stacks import Stack
from .terminals import Terminal, Visitor

DOCUMENT = guides.document("wsl")
# A program inside of WSL that others reach what only WSL's own loopback reaches.
FORWARD = """
import socket, threading
def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
with socket.create_server(("", 15432)) as server:
    while True:
        client, _ = server.accept()
        other = socket.create_connection(("127.0.0.1", 5432))
        for pair in ((client, other), (other, client)):
            threading.Thread(target=copy, args=pair).start()
"""


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """As WSL starts one while systemd is off, with an engine and a place to clone from."""
    folder = tmp_path_factory.mktemp("wsl")
    checkouts.repository(folder / "origin")
    with Machine(folder, "bridge", init="sleep infinity") as machine:
        machine.container.start()
        machine.shell("ln -s /host/docker.sock /run/docker.sock")
        yield machine


@pytest.fixture(scope="module")
def stack(distribution: Machine) -> Iterator[Stack]:
    """What `make` starts there."""
    with Stack(checkout=distribution.checkout) as stack:
        yield stack


@pytest.fixture(scope="module")
def guide(distribution: Machine, stack: Stack) -> Visitor:
    terminal = Terminal(distribution, "/root/mindgraph", stack.project)
    return Visitor(DOCUMENT, terminal, {"ADDRESS ": f"{distribution.checkout / 'origin'} "})


def test_the_whole_stack_runs_in_a_fresh_distribution(guide: Visitor) -> None:
    # Here is no init either.
    assert guide.follow("systemd").startswith("sleep")
    for heading in ("Memory", "Where the files go"):
        guide.follow(heading)
    said = guide.follow("Docker")
    assert "all services are healthy" in said
    assert "5 of 5 run" in said


def test_the_service_runs_without_docker(
    guide: Visitor, distribution: Machine, tmp_path: Path
) -> None:
    *prepare, run = guide.of("PostgreSQL without Docker")
    for block in prepare:
        guide.see(block)
    distribution.shell(f"setsid python3 -c '{FORWARD}' >/dev/null 2>&1 &")
    checkout = checkouts.with_environment(tmp_path)
    local = Reader(DOCUMENT, checkout, {}, processes.bare_environment())
    [embedded] = local.of("Without Docker")
    with guides.served(local, embedded, tmp_path / "embedded.log") as url:
        assert httpx.get(f"{url}/readyz", trust_env=False).json()["ready"]
    distribution.container.reload()
    [network] = distribution.container.attrs["NetworkSettings"]["Networks"].values()
    local.environ["DATABASE_PORT"] = "15432"
    there = replace(run, text=run.text.replace("127.0.0.1", network["IPAddress"]))
    with guides.served(local, there, tmp_path / "run.log") as url:
        assert httpx.get(f"{url}/readyz", trust_env=False).json()["ready"]
    count = "runuser -u postgres -- psql -Atc 'SELECT count(*) > 0 FROM organizations' mindgraph"
    assert distribution.shell(count) == "t"
    guide.done += [embedded, run]
    assert guide.left() == []
