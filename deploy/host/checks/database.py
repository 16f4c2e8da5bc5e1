"""Whether the database takes changes, and whether its archive has all of them."""

from __future__ import annotations

from typing import Sequence

from host.checks.finding import Finding, failure, ok


def writes(*, refused: bool) -> Finding:
    check = "database-writes"
    if refused:
        seen = "the database takes no changes, as its disk is nearly full"
        return failure(check, seen, "free some space; it takes changes again by itself")
    return ok(check, "the database takes changes")


def archive(gaps: Sequence[str]) -> Finding:
    """
    Args:
        gaps: `TIME FILE` of each file of the log that was given up.
    """
    check = "archive-gaps"
    if not gaps:
        return ok(check, "the archive has every change since the last backup")
    since = gaps[0].split()[0]
    seen = f"the archive was given up at {since}, when it had failed for too long"
    return failure(check, f"{seen}: no restore reaches a later time", "`deploy/mindgraph backup`")
