"""Fills a generation from a backup, and checks what came out."""

from __future__ import annotations

from dataclasses import dataclass

from host import engine, output
from host.backups import manifest as manifests
from host.backups.choosing import Target
from host.backups.manifest import Table
from host.backups.repository import Repository
from host.errors import HostError
from host.restores import vectors
from host.restores.generations import Generation
from host.restores.vectors import Brought, Index
from host.toolbox import (
    BACKUPS,
    FILES,
    PLACES,
    POSTGRES,
    REDIS,
    WRITING,
    Mount,
    Tool,
    Toolbox,
    ToolFailed,
)

# How mindgraph-recover ends when the log ends before the target, and when the changes don't follow
# from the backup.
TOO_SHORT, OTHER_HISTORY = 4, 5
LIVE = "/live"


class Wrong(HostError):
    """What was restored is not what it should be; it was removed again."""


class OtherHistory(HostError):
    """From this backup one doesn't get there: the database in use began anew before it was made, or
    the transaction is not after it. An older one may do."""


@dataclass(frozen=True)
class Filled:
    """What came out: the sums of all tables, and what there is of the search index."""

    tables: dict[str, Table]
    index: Index
    vectors: Brought


def fill_postgres(
    toolbox: Toolbox, target: Target, generation: Generation, live: str | None
) -> tuple[dict[str, Table], Index]:
    """Returns the sums of all tables, and what a search index must have. `live` is a volume with a
    log that the archive may lack.

    Raises:
        Wrong, ToolFailed.
    """
    try:
        said = _recover(toolbox, target, target.options, generation, live)
    except ToolFailed as error:
        if error.ended == OTHER_HISTORY or (error.ended == TOO_SHORT and target.at is None):
            raise OtherHistory(
                f"backup {target.manifest.id} does not lead to {target.shown}"
            ) from error
        if error.ended != TOO_SHORT:
            raise
        # A database that is dead committed nothing after the time.
        output.complain(f"the log ends before {target.shown}; going on to its end")
        generation.remove_one(POSTGRES)
        generation.make(toolbox, [POSTGRES])
        said = _recover(toolbox, target, ("--type=default",), generation, live)
    lines = said.splitlines()
    middle = lines.index("tables")
    found = manifests.tables(lines[middle + 1 :])
    if target.exact:
        differences = manifests.differences(target.manifest.tables, found)
        if differences:
            raise Wrong(f"the database is not that of the backup: {'; '.join(differences[:5])}")
    elif not {*target.manifest.tables} & {*found}:
        raise Wrong("the database has none of the backup's tables")
    return found, vectors.read_index(lines[1:middle])


def fill_files(
    toolbox: Toolbox,
    repository: Repository,
    target: Target,
    generation: Generation,
    live: str | None,
) -> None:
    """The backup's, and all that the volume in use has: files are named after their content, so
    none takes the place of another, and those that no row names are removed in time."""
    volume = generation.volume(FILES)
    if live:
        command = ["cp", "--archive", f"{LIVE}/.", PLACES[FILES]]
        mounts = [Mount(live, LIVE), Mount(volume, PLACES[FILES], writable=True)]
        toolbox.run(Tool("postgres", command, mounts, WRITING))
    repository.restore_files(target.manifest.parts[FILES], volume)


def fill_redis(
    toolbox: Toolbox, repository: Repository, target: Target, generation: Generation
) -> None:
    dump = repository.dump(REDIS, target.manifest.parts[REDIS])
    place = Mount(generation.volume(REDIS), PLACES[REDIS], writable=True)
    toolbox.pipe(dump, Tool("redis", ["mindgraph-redis-fill"], [place]))


def fill(
    toolbox: Toolbox, repository: Repository, target: Target, generation: Generation, beside: bool
) -> Filled:
    """All of it. With `beside`, what the volumes in use have is taken in as well; without it, the
    vectors of each document are told."""
    live = {key: toolbox.volume(key) if beside else None for key in (FILES, POSTGRES)}
    there = {key: name if name and engine.find_volume(name) else None for key, name in live.items()}
    generation.make(toolbox)
    output.complain(f"recovering the database to {target.shown}")
    tables, index = fill_postgres(toolbox, target, generation, there[POSTGRES])
    output.complain("bringing back uploaded files, sessions and the search index")
    fill_files(toolbox, repository, target, generation, there[FILES])
    fill_redis(toolbox, repository, target, generation)
    if beside and not toolbox.is_bundled("qdrant"):
        # Its points are where they were; what they lack is written when the database is there.
        return Filled(tables, index, Brought())
    brought = vectors.bring(toolbox, repository, target, generation, index, listed=not beside)
    return Filled(tables, index, brought)


def _recover(
    toolbox: Toolbox,
    target: Target,
    options: tuple[str, ...],
    generation: Generation,
    live: str | None,
) -> str:
    mounts = [
        Mount(toolbox.volume(BACKUPS), PLACES[BACKUPS]),
        Mount(generation.volume(POSTGRES), PLACES[POSTGRES], writable=True),
    ]
    if live:
        mounts.append(Mount(live, LIVE))
    command = ["mindgraph-recover", f"--set={target.manifest.database.label}", *options]
    return toolbox.run(Tool("postgres", command, mounts))
