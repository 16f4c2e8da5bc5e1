"""Where the checkout is, and whether Windows has changed its files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

from host.checks.finding import Finding, failure, ok, warning

# What 9p and Windows drives are called in /proc/mounts.
WINDOWS = {"9p", "drvfs", "v9fs", "virtiofs"}
# Bash, SQL and what is copied into images.
FOLDERS = ("db", "deploy", "docker")
ESCAPED = re.compile(r"\\(\d{3})")


def drive(root: Path, checkout: Path) -> Finding:
    kind = _kind((root / "proc/mounts").read_text(encoding="utf-8", errors="replace"), checkout)
    on_drive = re.match(r"/mnt/[a-z](/|$)", str(checkout))
    if kind in WINDOWS and on_drive:
        return warning(
            "checkout",
            f"{checkout} is on a Windows drive ({kind}): slow, modes are lost",
            "clone it into the Linux file system: `git clone ... ~/mindgraph`",
        )
    return ok("checkout", f"{checkout} ({kind})")


def _kind(mounts: str, folder: Path) -> str:
    """The file system of `folder`: that of the longest mount point over it; the last one covers."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        _, point, found, *_ = line.split(" ")
        point = ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), point)
        over = str(folder) == point or str(folder).startswith(point.rstrip("/") + "/")
        if over and len(point) >= len(best):
            best, kind = point, found
    return kind


def line_ends(checkout: Path) -> Finding:
    """Whether scripts have Windows' line ends, with which no shell runs them."""
    wrong = sorted(str(file.relative_to(checkout)) for file in _wrong(checkout))
    if not wrong:
        return ok("line-ends", "all scripts have LF")
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return failure(
        "line-ends",
        f"CRLF in {', '.join(wrong[:3])}{more}",
        "`git config core.autocrlf false && git ls-files -z db deploy docker | "
        "xargs -0 sed -i 's/\\r$//'`",
    )


def _wrong(checkout: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for file in (checkout / folder).rglob("*"):
            if file.is_file() and not file.is_symlink():
                with file.open("rb") as opened:
                    beginning = opened.read(512)
                # What Python compiles has any bytes.
                if b"\0" not in beginning and beginning.partition(b"\n")[0].endswith(b"\r"):
                    yield file
