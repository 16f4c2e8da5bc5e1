"""Which images a stack runs, which ones are there now, and which ones it had before."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from host import engine
from host.errors import HostError
from host.stack import Stack

PREVIOUS = "previous"


class NoRelease(HostError):
    """There are no images to go to."""


def running(stack: Stack) -> dict[str, str]:
    """By the name that the compose files give an image: the id of the one that runs."""
    found = {}
    for name, service in stack.config()["services"].items():
        containers = stack.compose("ps", "--quiet", name).split()
        if containers:
            found[str(service["image"])] = engine.run(
                "inspect", "--format", "{{.Image}}", containers[0]
            ).strip()
    return found


def find(image: str) -> str | None:
    """The id that an image's name has now."""
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    listed: list[dict[str, Any]] = json.loads(done.stdout or b"[]")
    return str(listed[0]["Id"]) if listed else None


def changed(stack: Stack) -> dict[str, str]:
    """Of the images that run, those whose names mean another one now; the ids of what runs."""
    return {name: one for name, one in running(stack).items() if find(name) != one}


def keep(images: dict[str, str]) -> None:
    """They can be gone back to from now on, in place of those of an earlier upgrade."""
    for name, one in images.items():
        engine.run("tag", one, f"{name}:{PREVIOUS}")


def use(images: dict[str, str]) -> None:
    """The names mean these from now on; what runs is not touched."""
    for name, one in images.items():
        engine.run("tag", one, name)


def previous(stack: Stack) -> dict[str, str]:
    """Raises NoRelease."""
    names = {str(service["image"]) for service in stack.config()["services"].values()}
    found = {name: find(f"{name}:{PREVIOUS}") for name in sorted(names)}
    kept = {name: one for name, one in found.items() if one and one != find(name)}
    if not kept:
        raise NoRelease("there are no images of an earlier release here, so nothing was changed")
    return kept
