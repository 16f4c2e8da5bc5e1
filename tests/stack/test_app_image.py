"""What is in the image of the app, and what is not."""

from __future__ import annotations

import hashlib
import re

import pytest

from .stacks import CHECKOUT, Stack


@pytest.fixture(scope="module")
def stack(unharmed_stack: Stack) -> Stack:
    return unharmed_stack


def in_shell(stack: Stack, script: str) -> list[str]:
    done = stack.run_in("app", "bash", "-c", script)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_app_and_worker_are_one_image_with_version_and_revision(stack: Stack) -> None:
    app, worker = stack.container("app").image, stack.container("worker").image
    assert app
    assert worker
    assert app.id == worker.id
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert version
    assert app.labels["org.opencontainers.image.version"] == version[1]
    revision = app.labels["org.opencontainers.image.revision"]
    assert re.fullmatch(r"[0-9a-f]{12}|unknown", revision), revision


def test_there_is_no_compiler_and_no_pip(stack: Stack) -> None:
    tools = "gcc cc g++ c++ clang make ld as pip pip3"
    found = in_shell(stack, f"for tool in {tools}; do command -v $tool; done; true")
    # A pip that the base image brings for its own Python sees nothing of the venv.
    assert [tool for tool in found if not re.fullmatch(r"/usr/(local/)?bin/pip3?", tool)] == []
    assert in_shell(stack, "ls /opt/venv/bin | grep pip; true") == []
    assert "No module named" in stack.run_in("app", "python3", "-c", "import pip").stderr


def test_the_code_is_the_code_of_this_checkout(stack: Stack) -> None:
    """Else the other tests would speak of an older one."""
    find = "cd /srv/mindgraph && find app -name '*.py' -exec sha256sum {} +"
    lines = [line.split(maxsplit=1) for line in in_shell(stack, find)]
    inside = {name: digest for digest, name in lines}
    # The build takes out what a checkout on Windows adds.
    outside = {
        str(path.relative_to(CHECKOUT)): path.read_bytes().replace(b"\r\n", b"\n")
        for path in (CHECKOUT / "app").rglob("*.py")
    }
    fresh = {name: hashlib.sha256(text).hexdigest() for name, text in outside.items()}
    differing = {name for name, _ in inside.items() ^ fresh.items()}
    assert not differing, f"build the images again (`make build`); these differ: {differing}"
