"""What the kernel does for Redis, which copies itself to write its file."""

from __future__ import annotations

import re
from pathlib import Path

from host.checks.finding import Finding, ok, warning

KEPT = "/etc/sysctl.d/90-mindgraph.conf"


def overcommit(root: Path) -> Finding:
    """
    Args:
        root: the folder that has `proc`; so for all here.
    """
    found = (root / "proc/sys/vm/overcommit_memory").read_text(encoding="ascii").strip()
    if found == "1":
        return ok("overcommit", "vm.overcommit_memory is 1")
    return warning(
        "overcommit",
        f"vm.overcommit_memory is {found}: Redis can't save when half of the memory is taken",
        f"`echo vm.overcommit_memory=1 | sudo tee {KEPT} && sudo sysctl --system`",
    )


def huge_pages(root: Path) -> Finding:
    file = root / "sys/kernel/mm/transparent_hugepage/enabled"
    if not file.exists():
        return ok("huge-pages", "the kernel has none")
    chosen = re.search(r"\[(\w+)\]", file.read_text(encoding="ascii"))
    found = chosen[1] if chosen else "unknown"
    if found != "always":
        return ok("huge-pages", f"transparent ones: {found}")
    return warning(
        "huge-pages",
        "transparent ones are always used: Redis takes more memory and answers late",
        f"`echo madvise | sudo tee /{file.relative_to(root)}`; for good, add "
        "transparent_hugepage=madvise to the kernel's command line",
    )
