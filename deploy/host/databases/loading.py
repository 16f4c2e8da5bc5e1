"""A database from a dump, in a volume that nobody uses yet."""

from __future__ import annotations

from typing import IO

from host.backups import manifest
from host.databases.dumping import Tables
from host.errors import HostError
from host.toolbox import PLACES, POSTGRES, Mount, Tool, Toolbox

# Roles get their passwords as at a first start.
PASSWORDS = (
    "DATABASE_BACKUP_PASSWORD",
    "DATABASE_OWNER_PASSWORD",
    "DATABASE_PASSWORD",
    "DATABASE_READONLY_PASSWORD",
    "POSTGRES_PASSWORD",
)
OPTIONS = "POSTGRES_INITDB_ARGS"


class Different(HostError):
    """What came out is not what was put in."""


def load(toolbox: Toolbox, volume: str, dump: IO[bytes]) -> Tables:
    """By the image that the toolbox has. Returns the sums of all tables. Raises ToolFailed."""
    settings = {name: toolbox.settings[name] for name in PASSWORDS}
    settings[OPTIONS] = str(toolbox.config["services"]["postgres"]["environment"][OPTIONS])
    place = Mount(volume, PLACES[POSTGRES], writable=True)
    said = toolbox.run(Tool("postgres", ["mindgraph-load"], [place], settings=settings), dump)
    return manifest.tables(said.splitlines())


def require_same(expected: Tables, found: Tables) -> None:
    """Raises Different."""
    differences = manifest.differences(expected, found)
    if differences:
        raise Different(f"the new database is not the same: {'; '.join(differences[:5])}")
