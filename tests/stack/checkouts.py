"""Copies of this checkout for tests that change files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .stacks import CHECKOUT

# What Compose and the builds read.
PARTS = (
    ".dockerignore",
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


def copy_to(folder: Path) -> Path:
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            shutil.copy(source, folder)
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
