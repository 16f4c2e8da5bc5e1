"""What the machine has: cores, memory, disk, the right time."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Optional

from host.checks.finding import Finding, failure, ok, warning

GB = 1024**3
FEWEST_CORES = 2
# With all five services and nothing to do it takes about 1 GB; embedding a document another one.
WARN_MEMORY_GB = 4.0
LEAST_MEMORY_GB = 1.8
WARN_FREE_MEMORY_MB = 300
# Images take 2 GB, and an upgrade has two of each.
WARN_DISK_GB = 10.0
LEAST_DISK_GB = 2.0
MORE_MEMORY = "give it more; under WSL: `memory=` in .wslconfig, then `wsl --shutdown`"


def cores(count: int) -> Finding:
    if count >= FEWEST_CORES:
        return ok("cores", f"{count}")
    fix = f"give the machine {FEWEST_CORES}; reading documents slows down all else on one"
    return warning("cores", f"{count}", fix)


def memory(root: Path) -> Finding:
    text = (root / "proc/meminfo").read_text(encoding="ascii", errors="replace")
    found = {name: int(kb) for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    total, free = found["MemTotal"] * 1024, found.get("MemAvailable", 0) * 1024
    seen = f"{total / GB:.1f} GB, {free / GB:.1f} available"
    if total < LEAST_MEMORY_GB * GB:
        return failure("memory", f"{seen}: too little for all services", MORE_MEMORY)
    if total < WARN_MEMORY_GB * GB:
        return warning("memory", f"{seen}: little for documents", MORE_MEMORY)
    if free < WARN_FREE_MEMORY_MB * 1024**2:
        return warning("memory", seen, "see who has it: `ps aux --sort -rss | head`")
    return ok("memory", seen)


def disk(
    check: str, folder: Path, warn_gb: float = WARN_DISK_GB, least_gb: float = LEAST_DISK_GB
) -> Finding:
    """The disk that has `folder`, for whoever isn't root."""
    if not folder.exists():
        # Docker Desktop has its own machine.
        return ok(check, f"{folder} is not on this machine")
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    total = free + (found.f_blocks - found.f_bfree) * found.f_frsize
    seen = f"{free / GB:.1f} of {total / GB:.1f} GB free at {folder}"
    fix = "free some: `docker system df`, then `docker image prune`; or give it a larger disk"
    if free < least_gb * GB:
        return failure(check, f"{seen}: the database stops when it is full", fix)
    if found.f_files and not found.f_favail:
        return failure(check, f"{seen}, but no file can be made (no inode)", fix)
    if free < warn_gb * GB:
        return warning(check, seen, fix)
    return ok(check, seen)


def clock(synchronized: Optional[str]) -> Finding:
    """
    Args:
        synchronized: what `timedatectl show --property NTPSynchronized --value` said; None without
            systemd. Containers have the clock of the machine.
    """
    if synchronized is None:
        return ok("clock", "who sets it is not known here: no systemd")
    if synchronized.strip() == "yes":
        return ok("clock", "set by the network's time")
    return warning(
        "clock",
        "nothing sets it: sessions and certificates end at wrong times",
        "`sudo timedatectl set-ntp true`",
    )
