"""A run of the tests that is killed leaves nothing on the machine."""

from __future__ import annotations

import subprocess
import sys
import time

import docker

from .stacks import CHECKOUT

RUN = """
import time
from tests.stack.stacks import Stack
stack = Stack()
stack.compose("up", "--detach", "--wait", "--no-build", "redis")
print(stack.project, flush=True)
time.sleep(600)
"""


def owned_by(project: str) -> list[object]:
    engine = docker.from_env()
    label = {"label": f"com.docker.compose.project={project}"}
    found: list[object] = [
        *engine.containers.list(all=True, ignore_removed=True, filters={**label}),
        *engine.volumes.list(filters=label),
        *engine.networks.list(filters=label),
    ]
    engine.close()
    return found


def test_what_a_killed_run_had_is_removed_without_another_run() -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=CHECKOUT, encoding="utf-8", stdout=subprocess.PIPE
    )
    with run:
        assert run.stdout
        project = run.stdout.readline().strip()
        # A container, its volumes and its networks: there is something to remove.
        assert len(owned_by(project)) >= 3
        run.kill()
    deadline = time.monotonic() + 60
    while owned_by(project) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert owned_by(project) == []
