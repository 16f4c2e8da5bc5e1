"""The one change of the env file by which a stack uses other data."""

from __future__ import annotations

import os
from typing import Mapping

import env
import env_format

from host import output, running
from host.errors import HostError
from host.stack import ComposeFailed, Stack


class NotStarted(HostError):
    """The stack did not get well with the new data, and has the old again."""


def change(stack: Stack, settings: Mapping[str, str]) -> None:
    """All at once, whatever happens."""
    text = stack.env_file.read_text(encoding="utf-8", errors="surrogateescape")
    env.write(stack.env_file, changed(text, settings))


def changed(text: str, settings: Mapping[str, str]) -> str:
    """The text of an env file with these settings, where they stand or else at its end."""
    for name, value in settings.items():
        entries, _ = env_format.scan(text, os.environ)
        written = env_format.quote(value) if value else ""
        found = [entry for entry in entries if entry.name == name]
        if found:
            text = text[: found[-1].start] + written + text[found[-1].end :]
        else:
            text = env.append(text, {name: written})
    return text


def switch(stack: Stack, settings: Mapping[str, str]) -> None:
    """Returns when the stack serves the data that these settings name. Raises NotStarted."""
    now = stack.settings()
    before = {name: now.get(name, "") for name in settings}
    change(stack, settings)
    try:
        start(stack)
    except ComposeFailed as error:
        output.complain(f"the stack is not healthy with the new data: {error}")
        change(stack, before)
        start(stack)
        raise NotStarted("the stack runs with its old data again; nothing was changed") from error


def start(stack: Stack) -> None:
    """Nothing is written any more while the database changes; and the pooler, which would go on
    looking for it at its old address, is started anew."""
    if running.is_production(stack):
        running.refresh_secrets(stack)
    stop(stack)
    stack.compose("up", "--detach", "--wait", "--no-build", "--pull", "never")


def stop(stack: Stack) -> None:
    """All that writes to the database."""
    config = stack.config()
    writers = [name for name in ("app", "worker", "pgbouncer") if name in config["services"]]
    stack.compose("stop", *writers)
