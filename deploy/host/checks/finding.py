"""What a check has found, in the words of the app's own doctor."""

from __future__ import annotations

from typing import NamedTuple, Sequence

# Problems come last, where they are seen.
STATUSES = ("ok", "warning", "failure")


class Finding(NamedTuple):
    """`check` is a name that programs may rely on; `fix` is the command or edit that helps."""

    check: str
    status: str
    seen: str
    fix: str = ""
    where: str = "machine"


def ok(check: str, seen: str) -> Finding:
    return Finding(check, "ok", seen)


def warning(check: str, seen: str, fix: str) -> Finding:
    return Finding(check, "warning", seen, fix)


def failure(check: str, seen: str, fix: str) -> Finding:
    return Finding(check, "failure", seen, fix)


def in_order(found: Sequence[Finding]) -> list[Finding]:
    return sorted(found, key=lambda one: STATUSES.index(one.status))


def summary(found: Sequence[Finding]) -> dict[str, int]:
    """How many there are of each status."""
    return {status: sum(one.status == status for one in found) for status in STATUSES}
