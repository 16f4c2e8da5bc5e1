"""The whole stack is started and stopped, as a server does at its own start and end."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import secret_files

from host import changing, locking, output
from host.errors import HostError
from host.stack import ComposeFailed, Stack

# A socket that systemd holds open for an engine that is dead takes connections and never answers.
ENGINE_ANSWERS_S = 15
LINES_OF_A_LOG = 8


def start(stack: Stack, wait_s: int) -> None:
    """Returns when every service is healthy. Builds nothing and fetches nothing."""
    if not engine_answers():
        raise HostError("no Docker Engine answers; start it: systemctl start docker")
    if not changing.is_noted(stack):
        _start(stack, wait_s)
        return
    with locking.one_at_a_time(stack) as journal:
        changing.start_after(stack, journal, lambda: _start(stack, wait_s))


def _start(stack: Stack, wait_s: int) -> None:
    if is_production(stack):
        refresh_secrets(stack)
    try:
        stack.compose(
            *("up", "--detach", "--no-build", "--pull", "never", "--remove-orphans"),
            *("--wait", "--wait-timeout", str(wait_s)),
        )
    except ComposeFailed as error:
        raise HostError(f"{error}\n{_last_words(stack)}".strip()) from error
    output.say(f"all {len(containers(stack))} services of {stack.project} are healthy")


def stop(stack: Stack) -> None:
    """Each service before those that it needs, each with its own time to end in good order."""
    if not engine_answers():
        output.say("no Docker Engine answers, so there is nothing left to stop")
        return
    stack.compose("stop")
    output.say(f"{stack.project} is stopped; its data is kept")


def engine_answers() -> bool:
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=ENGINE_ANSWERS_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def is_production(stack: Stack) -> bool:
    return "compose.prod.yaml" in stack.settings().get("COMPOSE_FILE", "")


def containers(stack: Stack) -> list[dict[str, Any]]:
    """What Compose knows of each container of the stack, also of stopped ones."""
    said = stack.compose("ps", "--all", "--format", "json")
    # A line each, or, in older versions of Compose, one list.
    if said.lstrip().startswith("["):
        listed: list[dict[str, Any]] = json.loads(said)
        return listed
    return [json.loads(line) for line in said.splitlines() if line.strip()]


def refresh_secrets(stack: Stack) -> None:
    """Makes production's files of what .env says now. Raises HostError."""
    try:
        secret_files.make(stack.env_file)
    except secret_files.Refusal as refusal:
        raise HostError(str(refusal)) from refusal


def _last_words(stack: Stack) -> str:
    said = []
    for one in containers(stack):
        if one.get("Health") != "healthy":
            logs = stack.compose(
                "logs", "--no-log-prefix", "--tail", str(LINES_OF_A_LOG), one["Service"]
            )
            said.append(f"--- {one['Service']} is {one.get('Status') or one['State']}:\n{logs}")
    return "\n".join(said)
