"""Packages of Debian 12, downloaded once and unpacked without installing them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "mindgraph" / "corpus"


class Package(NamedTuple):
    file: Path
    version: str


def fetch(name: str) -> Package:
    """The package from the cache, and into it before. apt checks the sums of what it downloads."""
    CACHE.mkdir(parents=True, exist_ok=True)
    cached = sorted(CACHE.glob(f"{name}_*.deb"))
    if not cached:
        # Named like a package only when whole, so that a stopped download isn't taken for one.
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="download-") as folder:
            command = ["apt-get", "download", "--quiet", name]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{done.stderr}{name}: no download; try first: apt-get update")
            (file,) = Path(folder).glob("*.deb")
            cached = [file.rename(CACHE / file.name)]
    version = subprocess.run(
        ["dpkg-deb", "--field", cached[-1], "Version"], check=True, capture_output=True, text=True
    )
    return Package(cached[-1], version.stdout.strip())


def unpack(package: Package, folder: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", package.file, folder], check=True)
