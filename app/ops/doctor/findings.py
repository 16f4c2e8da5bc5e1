"""What a look has found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failure"]
# Problems come last, where they are seen.
STATUSES: tuple[Status, ...] = ("ok", "warning", "failure")


@dataclass(frozen=True)
class Finding:
    """`check` is a name that programs may rely on; `fix` is the command or edit that helps."""

    check: str
    status: Status
    seen: str
    fix: str = ""

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"


def ok(check: str, seen: str) -> Finding:
    return Finding(check, "ok", seen)


def warning(check: str, seen: str, fix: str) -> Finding:
    return Finding(check, "warning", seen, fix)


def failure(check: str, seen: str, fix: str) -> Finding:
    return Finding(check, "failure", seen, fix)


def in_order(found: Sequence[Finding]) -> list[Finding]:
    return sorted(found, key=lambda one: STATUSES.index(one.status))


def summary(found: Sequence[Finding]) -> dict[Status, int]:
    """How many there are of each status."""
    counted = Counter(one.status for one in found)
    return {status: counted[status] for status in STATUSES}
