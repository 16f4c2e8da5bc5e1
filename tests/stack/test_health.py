"""Healthy means ready for work, never earlier; and what isn't ready is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .stacks import Stack

# Holds the private server of the first start open, which a check on the socket takes for ready.
SLOW = """#!/usr/bin/env bash
sleep 4
"""


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[Stack]:
    script = tmp_path / "slow.sh"
    script.write_text(SLOW, encoding="utf-8")
    script.chmod(0o755)
    overlay = tmp_path / "slow.yaml"
    mount = f"{script}:/docker-entrypoint-initdb.d/zz-slow.sh:ro"
    overlay.write_text(f'services: {{ postgres: {{ volumes: ["{mount}"] }} }}\n', encoding="utf-8")
    with Stack(overlay) as stack:
        yield stack


def answers_on_its_socket(stack: Stack) -> bool:
    question = ("psql", "--no-psqlrc", "--username", "postgres", "--command", "SELECT 1")
    return stack.run_in("postgres", *question).returncode == 0


def test_postgres_is_not_healthy_before_the_app_can_log_in(cold: Stack) -> None:
    cold.compose("up", "--detach", "--no-build", "--pull", "never", "postgres")
    cold.wait(lambda: answers_on_its_socket(cold), "the private server answers on its socket")
    assert cold.psql("mindgraph_user", "SELECT 1").returncode != 0
    assert cold.health("postgres") == "starting"
    assert cold.run_in("postgres", "mindgraph-probe").returncode != 0
    cold.wait(lambda: cold.health("postgres") == "healthy", "postgres is healthy")
    # At the first try.
    assert cold.sql("mindgraph_user", "SELECT current_user") == "mindgraph_user"


def test_a_wrong_password_of_the_app_is_not_healthy(stack: Stack) -> None:
    """What is asked is what the app needs, not whether a port is open."""
    done = stack.run_in("postgres", "mindgraph-probe", DATABASE_PASSWORD="not-the-password")
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr
    assert stack.run_in("redis", "mindgraph-probe", REDIS_PASSWORD="wrong").returncode != 0


@pytest.mark.parametrize("service", ["postgres", "redis", "qdrant"])
def test_readyz_names_the_service_that_hangs(stack: Stack, service: str) -> None:
    container = stack.container(service)
    container.pause()
    try:
        probe = stack.run_in("app", "mindgraph-http-probe", "8000", "/readyz")
        assert probe.returncode == 1
        name = {"postgres": "database"}.get(service, service)
        assert name in probe.stdout, probe
        assert name in stack.readiness()["down"]
    finally:
        container.unpause()
    stack.wait(lambda: stack.readiness().get("ready"), "the app is ready again")


def test_probes_go_by_no_proxy(stack: Stack) -> None:
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    probes = {
        "postgres": ["mindgraph-probe"],
        "redis": ["mindgraph-probe"],
        "qdrant": ["mindgraph-http-probe", "6333", "/readyz"],
        "app": ["mindgraph-http-probe", "8000", "/readyz"],
    }
    ends = {name: stack.run_in(name, *probe, **proxy).returncode for name, probe in probes.items()}
    assert ends == dict.fromkeys(probes, 0)
