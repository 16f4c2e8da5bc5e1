"""Uploaded files, which are named after what is in them."""

from __future__ import annotations

from typing import Iterable

from host.backups.choosing import Target
from host.backups.repository import Repository
from host.errors import HostError
from host.restores.generations import Generation
from host.toolbox import FILES, PLACES, READING, WRITING, Mount, Tool, Toolbox

SOURCE = "/live"
# An empty one of such a name is a mark.
FIND = "find . -type f -size +0 -regextype posix-extended -regex '.*/[0-9a-f]{64}'"
HASHES = (
    f"{FIND} -print0 "
    '| xargs -0 -r sha256sum | awk \'{ name = $2; sub(/.*\\//, "", name); count++; '
    "if ($1 != name) print name } END { print count + 0 }'"
)


class WrongContent(HostError):
    """A file is not what its name says."""


def fill(
    toolbox: Toolbox,
    repository: Repository,
    target: Target,
    generation: Generation,
    live: str | None,
) -> None:
    """The backup's, and all that the volume in use has: none takes the place of another, and those
    that no row names are removed in time."""
    volume = generation.volume(FILES)
    if live:
        copy(toolbox, live, volume)
    repository.restore_files(target.manifest.parts[FILES], volume)


def copy(toolbox: Toolbox, source: str, volume: str) -> None:
    command = ["cp", "--archive", f"{SOURCE}/.", PLACES[FILES]]
    mounts = [Mount(source, SOURCE), Mount(volume, PLACES[FILES], writable=True)]
    toolbox.run(Tool("postgres", command, mounts, WRITING))


def missing(toolbox: Toolbox, volume: str, lines: Iterable[str]) -> list[str]:
    """Those that the database names and the volume lacks.

    Args:
        lines: what mindgraph-passages says of the database.
    """
    needed = {line.split("|")[1] for line in lines if line.startswith("file|")}
    there = _in(toolbox, volume, f"{FIND} -printf '%f\\n'").split() if needed else []
    return sorted(needed.difference(there))


def check(toolbox: Toolbox, volume: str) -> int:
    """Reads all of them; how many there are. Raises WrongContent."""
    *wrong, count = _in(toolbox, volume, HASHES).split()
    if wrong:
        raise WrongContent(f"{len(wrong)} uploaded files have other content, as {wrong[0]}")
    return int(count)


def _in(toolbox: Toolbox, volume: str, script: str) -> str:
    command = ["bash", "-c", f"set -o pipefail; cd {PLACES[FILES]} && {script}"]
    return toolbox.run(Tool("postgres", command, [Mount(volume, PLACES[FILES])], READING))
