"""How old the newest backup is."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any, Optional, Sequence

from host.checks.finding import Finding, failure, ok, warning

# One a day; it may be late by an hour.
WARN_HOURS = 25
FAIL_HOURS = 73
FIX = "make one: `deploy/mindgraph backup`; by itself: `make install-systemd`"
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?")


def examine(said: Optional[str], now: datetime, *, production: bool) -> Finding:
    """
    Args:
        said: what `mindgraph backups --json` printed, a list of manifests; None when it failed.
        now: with a time zone.
        production: where no backup is a problem.
    """
    if said is None:
        return _missing("can't be listed", production)
    times = [when for when in map(_when, _manifests(said)) if when]
    if not times:
        return _missing("there is none", production)
    age = now - max(times)
    hours = age.total_seconds() / 3600
    seen = f"{len(times)}, the newest {_shown(age)} old"
    if hours > FAIL_HOURS and production:
        return failure("backup", seen, FIX)
    if hours > WARN_HOURS and production:
        return warning("backup", seen, FIX)
    return ok("backup", seen)


def _missing(seen: str, production: bool) -> Finding:
    if production:
        return failure("backup", seen, FIX)
    return ok("backup", f"{seen}; in development nobody makes one by itself")


def _manifests(said: str) -> Sequence[Any]:
    try:
        found = json.loads(said)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _when(manifest: Any) -> Optional[datetime]:
    """The moment that the backup brings back at least."""
    try:
        found = TIME.match(manifest["point"]["time"])
    except (KeyError, TypeError):
        return None
    if not found:
        return None
    zone = (found[3] or "Z").replace("Z", "+0000").replace(":", "")
    zone = zone if len(zone) == 5 else f"{zone}00"
    found_at = datetime.strptime(f"{found[1]} {found[2]} {zone}", "%Y-%m-%d %H:%M:%S %z")
    return found_at.astimezone(timezone.utc)


def _shown(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
