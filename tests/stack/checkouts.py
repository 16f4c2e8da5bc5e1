"""Copies of this checkout for tests that change files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests import commands

from .stacks import CHECKOUT

# What Compose and the builds read.
PARTS = (
    ".dockerignore",
    ".env.example",
    "Makefile",
    "app",
    "compose.prod.yaml",
    "compose.yaml",
    "db",
    "deploy",
    "docker",
    "pyproject.toml",
    "requirements.lock",
)
MADE_FROM = 'echo "$(cat requirements-dev.lock pyproject.toml | sha256sum) $PWD" >.venv/.made-from'


def copy_to(folder: Path) -> Path:
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            shutil.copy(source, folder)
    return folder


def repository(folder: Path) -> None:
    """A copy that can be cloned."""
    folder.mkdir()
    commit(copy_to(folder), "A release")


def commit(folder: Path, subject: str) -> None:
    git = ("git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org")
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", subject)):
        subprocess.run([*git, *arguments], check=True)


def with_environment(folder: Path) -> Path:
    """A copy with this one's Python environment, which `make venv` takes for its own."""
    copy_to(folder)
    shutil.copy(CHECKOUT / "requirements-dev.lock", folder)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(commands.MINDGRAPH.parent)
    subprocess.run(["bash", "-c", MADE_FROM], cwd=folder, check=True)
    return folder


def with_crlf(folder: Path) -> Iterator[Path]:
    """Gives every text file below the folder the line ends of Windows; yields those it changed."""
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if content and b"\0" not in content:
            path.write_bytes(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
            yield path


def certificates() -> dict[str, str]:
    """What docker/up.sh gives to a build, so that pip trusts what this machine trusts."""
    system = "/etc/ssl/certs/ca-certificates.crt"
    for bundle in (os.environ.get("CA_BUNDLE"), os.environ.get("PIP_CERT"), system):
        if bundle and Path(bundle).is_file() and Path(bundle).stat().st_size:
            return {"CA_BUNDLE": bundle}
    return {}
