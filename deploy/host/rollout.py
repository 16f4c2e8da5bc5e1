"""Replaces the app's container while the proxy goes on serving.

Another container of the app is started beside it, as `PROJECT-app-next`. While a file is there in
the proxy's memory, all requests go to that one, and none is on its way to a container that ends.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from typing import Any

from host import engine, output
from host.errors import HostError
from host.stack import ComposeFailed, Stack

# From when the proxy has chosen a container until it has reached it.
CHOSEN_S = 2.0
PATIENCE_S = 180.0
GRACE_S = 30
# In the proxy's container; see docker/proxy/Caddyfile.
USE_NEXT = "/tmp/caddy/use-next"  # noqa: S108


class NotHealthy(HostError):
    """The new container doesn't become healthy; the old one serves on."""


def add_patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=PATIENCE_S,
        help=f"how long the other release has to become healthy ({PATIENCE_S:.0f})",
    )


def replace_app(stack: Stack, patience_s: float = PATIENCE_S) -> None:
    """The app's container and then the worker's, by the images that their names mean now.

    Args:
        stack: which runs.
        patience_s: how long the new container has to become healthy.

    Raises:
        NotHealthy: nothing has changed for those who use the service.
        ComposeFailed: the new container beside still serves.
    """
    clean(stack)
    following = _following(stack)
    output.say("starting the new release beside the one that serves")
    stack.compose("run", "--detach", "--no-deps", "--name", following, "app", keeps_lock=True)
    try:
        _require_healthy(following, patience_s)
    except NotHealthy:
        _remove(following)
        raise
    _choose(stack, "touch")
    _up(stack, "app")
    _choose(stack, "rm", "-f")
    _end(following)
    _up(stack, "worker")


def clean(stack: Stack) -> None:
    """Ends what a killed run left. It may be what serves, so first the app itself must be well."""
    following = _following(stack)
    if _state(following) is None:
        return
    _up_again(stack)
    _choose(stack, "rm", "-f")
    _end(following)


def serves(stack: Stack) -> bool:
    """Whether there is somebody who would notice a gap."""
    proxy = _containers(stack, "proxy", "--filter=status=running")
    app = _containers(stack, "app", "--filter=status=running")
    return bool(proxy) and (bool(app) or _is_healthy(_following(stack)))


def return_to(stack: Stack, image: str) -> None:
    """The app's container and the worker's are again of an image that their names mean already,
    wherever `replace_app` has stopped.

    Args:
        image: of the app; its id.
    """
    following, apps = _following(stack), _containers(stack, "app")
    images = {engine.run("inspect", "--format", "{{.Image}}", one).strip() for one in apps}
    if images == {image}:
        clean(stack)
    elif _is_healthy(following):
        _choose(stack, "touch")
        _up(stack, "app")
        _choose(stack, "rm", "-f")
        _end(following)
    else:
        if _state(following) is not None:
            _remove(following)
        replace_app(stack)
    _up(stack, "worker")


def _containers(stack: Stack, service: str, *options: str) -> list[str]:
    labels = {"project": stack.project, "service": service, "oneoff": "False"}
    filters = (f"--filter=label=com.docker.compose.{key}={labels[key]}" for key in labels)
    return engine.run("ps", "--all", "--quiet", *filters, *options).split()


def _is_healthy(container: str) -> bool:
    state = _state(container) or {}
    return bool(state.get("Running")) and state.get("Health", {}).get("Status") == "healthy"


def _following(stack: Stack) -> str:
    return f"{stack.project}-app-next"


def _up(stack: Stack, service: str, *options: str) -> None:
    stack.compose(
        *("up", "--detach", "--no-deps", "--no-build", "--pull", "never", "--wait"),
        *("--wait-timeout", str(int(PATIENCE_S))),
        *options,
        service,
        keeps_lock=True,
    )


def _up_again(stack: Stack) -> None:
    """The app as it is: to make it anew, or from another image, would be a gap.

    The engine may still be stopping it as the killed run has told it. Compose takes it for one
    that runs, and then fails as it ends; when asked again it finds it ended, and starts it.
    """
    try:
        _up(stack, "app", "--no-recreate")
    except ComposeFailed:
        _up(stack, "app", "--no-recreate")


def _choose(stack: Stack, *command: str) -> None:
    """Returns when no request goes any more to where they went before."""
    stack.run_in("proxy", *command, USE_NEXT)
    time.sleep(CHOSEN_S)


def _end(container: str) -> None:
    engine.run("stop", f"--time={GRACE_S}", container)
    _remove(container)


def _require_healthy(container: str, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
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
