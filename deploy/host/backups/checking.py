"""Whether a backup is whole and its key the right one, before anything is done with it."""

from __future__ import annotations

import json
from typing import Any

from host.backups.manifest import Manifest
from host.backups.repository import Repository
from host.errors import HostError
from host.toolbox import BACKUPS, PLACES, Mount, Tool, Toolbox, ToolFailed


class Damaged(HostError):
    """Nothing was touched."""


def check(toolbox: Toolbox, repository: Repository, manifest: Manifest) -> None:
    """Reads all of PostgreSQL's part, and sees that all of the rest is there.

    Raises:
        Damaged, Unreadable: with what is wrong.
    """
    label = manifest.database.label
    if label not in labels(toolbox):
        raise Damaged(f"PostgreSQL's part of backup {manifest.id}, {label}, is missing")
    said = pgbackrest(toolbox, "verify", f"--set={label}", "--output=text")
    if said.strip():
        raise Damaged(f"PostgreSQL's part of backup {manifest.id} is damaged: {said.strip()}")
    stored = {one["id"] for one in repository.snapshots()}
    for name, part in manifest.parts.items():
        if part.snapshot not in stored:
            raise Damaged(f"{name} of backup {manifest.id} is missing")
    repository.check()


def labels(toolbox: Toolbox) -> set[str]:
    """Of the backups that pgBackRest has. Raises Damaged."""
    said: list[dict[str, Any]] = json.loads(pgbackrest(toolbox, "info", "--output=json"))
    if not said or said[0]["status"]["code"] not in (0, 2):
        reason = said[0]["status"]["message"] if said else "nothing is there"
        raise Damaged(
            f"PostgreSQL's repository can't be read ({reason}); is BACKUP_KEY the right one?"
        )
    return {one["label"] for one in said[0]["backup"] if not one["error"]}


def pgbackrest(toolbox: Toolbox, *arguments: str) -> str:
    """Beside the stack, on the repository alone. Raises Damaged."""
    backups = Mount(toolbox.volume(BACKUPS), PLACES[BACKUPS])
    tool = Tool("postgres", ["mindgraph-pgbackrest", *arguments], [backups])
    try:
        return toolbox.run(tool)
    except ToolFailed as error:
        raise Damaged(f"PostgreSQL's repository is damaged or can't be read: {error}") from error
