"""Which backup a restore begins with, and up to where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Sequence

from host.backups.manifest import Manifest
from host.errors import WrongUse


@dataclass(frozen=True)
class Target:
    """`exact`: it ends at the backup's own point, where the sums of all tables are known. `at`: a
    time, which is reached at the end of a log that has nothing later. `at_least`: a position in the
    log, which its end must not be before. `gaps`: where the log has one, it ends."""

    manifest: Manifest
    options: tuple[str, ...]
    shown: str
    exact: bool = False
    at: datetime | None = None
    at_least: str = ""
    gaps: bool = False


# Else recovery would stop there and wait for somebody.
GO_ON = "--target-action=promote"


def find(manifests: Sequence[Manifest], backup: str | None) -> Manifest:
    """The one of this id, or the newest. Raises WrongUse."""
    if not manifests:
        raise WrongUse("there is no whole backup yet; make one: mindgraph backup")
    if backup is None:
        return manifests[-1]
    found = [one for one in manifests if one.id == backup]
    if not found:
        raise WrongUse(f"there is no backup {backup}; `mindgraph backups` lists them")
    return found[0]


def to_backup(manifest: Manifest) -> Target:
    options = ("--type=name", GO_ON, "--target-timeline=current", f"--target={manifest.point.name}")
    return Target(manifest, options, f"backup {manifest.id}", exact=True)


def to_latest(manifests: Sequence[Manifest]) -> Target:
    return Target(find(manifests, None), ("--type=default",), "the last change in the archive")


def to_time(manifests: Sequence[Manifest], text: str, backup: str | None) -> Target:
    """Everything committed before this time. Raises WrongUse."""
    at = read_time(text)
    if at > datetime.now(timezone.utc):
        raise WrongUse(f"{text} is still to come")
    earlier = [one for one in manifests if read_time(one.database.finished) <= at]
    if not earlier:
        first = f"; the oldest goes back to {manifests[0].database.finished}" if manifests else ""
        raise WrongUse(f"no backup is old enough for {text}{first}")
    chosen = find(earlier, backup)
    stamp = at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    return Target(chosen, ("--type=time", GO_ON, f"--target={stamp}"), f"{stamp} UTC", at=at)


def before_transaction(manifests: Sequence[Manifest], number: int, backup: str | None) -> Target:
    """Everything committed before this transaction was. Raises WrongUse."""
    options = ("--type=xid", GO_ON, f"--target={number}", "--target-exclusive")
    return Target(find(manifests, backup), options, f"just before transaction {number}")


def read_time(text: str) -> datetime:
    """RFC 3339, as in 2026-11-28T08:15:00Z or 2026-11-28T16:15:00.5+08:00. Raises WrongUse."""
    plain = text.replace("Z", "+00:00").replace("z", "+00:00")
    for form in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"):
        try:
            return datetime.strptime(plain.replace(" ", "T", 1), form)  # noqa: DTZ007
        except ValueError:
            continue
    raise WrongUse(f"{text} is no time with a zone; write it as 2026-11-28T08:15:00Z")
