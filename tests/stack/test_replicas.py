"""Ten app containers from cold on an empty database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .people import Person
from .stacks import Stack

REPLICAS = 10
# Each replica gets a port that the engine chooses.
PORTS = 'services: { app: { ports: !override ["127.0.0.1::8000"] } }\n'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    overlay: Path = tmp_path_factory.mktemp("replicas") / "ports.yaml"
    overlay.write_text(PORTS, encoding="utf-8")
    limits = {"POSTGRES_MAX_CONNECTIONS": "200", "WEB_THREADS": "4", "WEB_WORKERS": "1"}
    with Stack(overlay, settings=limits) as stack:
        stack.up("--scale", f"app={REPLICAS}")
        yield stack


def urls(stack: Stack) -> list[str]:
    ports = [one.attrs["NetworkSettings"]["Ports"] for one in stack.containers("app")]
    return [f"http://127.0.0.1:{port['8000/tcp'][0]['HostPort']}" for port in ports]


def test_all_ten_come_up_healthy_at_the_first_try(stack: Stack) -> None:
    found = [one.attrs for one in stack.containers("app")]
    assert [one["State"]["Health"]["Status"] for one in found] == ["healthy"] * REPLICAS
    assert [one["RestartCount"] for one in found] == [0] * REPLICAS


def test_the_schema_was_made_once_and_the_seeds_once(stack: Stack) -> None:
    assert stack.logs("app").count("migrating") == 1
    codes = stack.sql("mindgraph_readonly", "SELECT code FROM organizations ORDER BY code")
    assert codes.split() == ["BJ-001", "DEMO-001", "SH-042", "SPRING-EDU"]


def test_a_diagram_saved_at_one_is_found_at_every_other(stack: Stack) -> None:
    person = Person(urls(stack)[0])
    diagram = person.save()
    for url in urls(stack):
        person.http.base_url = httpx.URL(url)
        assert person.finds(diagram), url
    person.close()
