"""Replaces the app's container while the proxy goes on serving.

Another container of the app is started beside it, as `PROJECT-app-next`, which the proxy knows as
well. Whichever is to be stopped says so to the proxy before, by its /healthz, so that no request is
on its way to a container that ends.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from host import engine, output
from host.errors import HostError
from host.stack import Stack

# The proxy asks every 2 seconds, and waits 5 for an answer.
NOTICED_S = 8.0
PATIENCE_S = 180.0
GRACE_S = 30
DRAIN = "/tmp/draining"  # noqa: S108  # the container's own; DRAIN_FILE in compose.prod.yaml


class NotHealthy(HostError):
    """The new container doesn't become healthy; the old one serves on."""


def replace_app(stack: Stack) -> None:
    """The app's container and then the worker's, by the images that their names mean now.

    Raises:
        NotHealthy: nothing has changed for those who use the service.
        ComposeFailed: the new container beside still serves.
    """
    following = f"{stack.project}-app-next"
    clean(stack)
    output.say("starting the new release beside the one that serves")
    stack.compose("run", "--detach", "--no-deps", "--name", following, "app")
    try:
        _require_healthy(following)
    except NotHealthy:
        _remove(following)
        raise
    _hand_over(stack.compose("ps", "--quiet", "app").split())
    _up(stack, "app")
    time.sleep(NOTICED_S)
    _hand_over([following])
    engine.run("stop", f"--time={GRACE_S}", following)
    _remove(following)
    _up(stack, "worker")


def clean(stack: Stack) -> None:
    """Ends what a killed run left; it may be what serves, so first the app itself must."""
    following = f"{stack.project}-app-next"
    if _state(following) is None:
        return
    _up(stack, "app")
    time.sleep(NOTICED_S)
    _hand_over([following])
    engine.run("stop", f"--time={GRACE_S}", following)
    _remove(following)


def _up(stack: Stack, service: str) -> None:
    stack.compose(
        *("up", "--detach", "--no-deps", "--no-build", "--pull", "never", "--wait", service)
    )


def _hand_over(containers: list[str]) -> None:
    """Returns when the proxy has stopped sending requests there."""
    for one in containers:
        # One that has ended by itself serves nobody.
        subprocess.run(["docker", "exec", one, "touch", DRAIN], capture_output=True, check=False)
    time.sleep(NOTICED_S)


def _require_healthy(container: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        state = _state(container) or {}
        health = state.get("Health", {}).get("Status")
        if health == "healthy":
            return
        if state.get("Status") != "running" or health == "unhealthy":
            break
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    logs = subprocess.run(
        ["docker", "logs", "--tail", "15", container], capture_output=True, check=False
    )
    said = (logs.stdout + logs.stderr).decode(errors="replace").strip()
    raise NotHealthy(f"the new release does not become healthy; its last lines:\n{said}")


def _state(container: str) -> dict[str, Any] | None:
    done = subprocess.run(["docker", "inspect", container], capture_output=True, check=False)
    listed: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
    if not listed:
        return None
    state: dict[str, Any] = listed[0]["State"]
    return state


def _remove(container: str) -> None:
    engine.run("rm", "--force", "--volumes", container)
