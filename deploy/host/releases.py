"""Which images a stack runs, which ones are to come, and which ones it had before.

An image's name without a tag means the release that serves; NAME:next the one that an upgrade is to
bring; NAME:previous the one that a rollback goes to.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any, Dict

from host import engine
from host.errors import HostError
from host.stack import Stack

# Ids by the names that the compose files give.
Images = Dict[str, str]
NEXT, PREVIOUS = "next", "previous"


class NoRelease(HostError):
    """There are no images to go to."""


def name_of(stack: Stack, service: str) -> str:
    return str(stack.config()["services"][service]["image"])


def running(stack: Stack) -> Images:
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


def changed(stack: Stack) -> Images:
    """Of the images that run, those whose names mean another one now; the ids of what runs."""
    return {name: one for name, one in running(stack).items() if find(name) != one}


def stage(stack: Stack) -> tuple[Images, Images]:
    """Of the images that run, those that others are to replace, and these others.

    A name without a tag means what runs after this, so nothing but an upgrade starts the others.

    Raises:
        HostError: the app doesn't run.
    """
    runs = running(stack)
    if name_of(stack, "app") not in runs:
        raise HostError("the app does not run, so nothing was changed; first: mindgraph start")
    for name, one in runs.items():
        named = find(name)
        if named and named != one:
            engine.run("tag", named, f"{name}:{NEXT}")
            engine.run("tag", one, name)
    coming = {name: find(f"{name}:{NEXT}") for name in runs}
    after = {name: one for name, one in coming.items() if one and one != runs[name]}
    return {name: runs[name] for name in after}, after


def forget_next(stack: Stack) -> None:
    for name in sorted({str(service["image"]) for service in stack.config()["services"].values()}):
        # By force, as a container may have been started of it; what has another name stays.
        command = ["docker", "image", "rm", "--force", "--no-prune", f"{name}:{NEXT}"]
        subprocess.run(command, capture_output=True, check=False)


def keep(images: Images) -> None:
    """They can be gone back to from now on, in place of those of an earlier upgrade."""
    for name, one in images.items():
        engine.run("tag", one, f"{name}:{PREVIOUS}")


def use(images: Images) -> None:
    """The names mean these from now on; what runs is not touched."""
    for name, one in images.items():
        engine.run("tag", one, name)


def previous(stack: Stack) -> Images:
    """Raises NoRelease."""
    names = {str(service["image"]) for service in stack.config()["services"].values()}
    found = {name: find(f"{name}:{PREVIOUS}") for name in sorted(names)}
    kept = {name: one for name, one in found.items() if one and one != find(name)}
    if not kept:
        raise NoRelease("there are no images of an earlier release here, so nothing was changed")
    return kept
