"""Fills a generation from a backup, and checks what came out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from host import engine, output
from host.backups import manifest as manifests
from host.backups.choosing import Target
from host.backups.manifest import Table
from host.backups.repository import Repository
from host.errors import HostError, WrongUse
from host.restores import archived, uploads, vectors
from host.restores.generations import Generation
from host.restores.vectors import Brought, Index
from host.toolbox import (
    BACKUPS,
    FILES,
    PLACES,
    POSTGRES,
    REDIS,
    Mount,
    Tool,
    Toolbox,
    ToolFailed,
)

# How mindgraph-recover ends when the log ends before the target, when the changes don't follow from
# the backup, and when the log has a gap.
TOO_SHORT, OTHER_HISTORY, GAP = 4, 5, 6
LIVE = "/live"
# For the log of the recovery, and so that nothing else meets its end.
BESIDE_BYTES = 5 << 30


class Wrong(HostError):
    """What was restored is not what it should be; it was removed again."""


class OtherHistory(HostError):
    """From this backup one doesn't get there: the database in use began anew before it was made, or
    the transaction is not after it. An older one may do."""


@dataclass(frozen=True)
class Filled:
    """What came out: when its last change was, the sums of all tables, uploaded files that the
    database names and that are missing, and what there is of the search index."""

    reached: str
    tables: dict[str, Table]
    missing: list[str]
    index: Index
    vectors: Brought


def require_version(toolbox: Toolbox, target: Target) -> None:
    """Raises WrongUse: PostgreSQL reads the files of its own major version only."""
    own = re.findall(r"[0-9]+", toolbox.run(Tool("postgres", ["postgres", "--version"])))[0]
    its = target.manifest.database.version.split(".")[0]
    if own != its:
        raise WrongUse(
            f"backup {target.manifest.id} is of PostgreSQL {its}, and the stack has {own}: go to "
            "that one first, as docs/operations.md says of another version of PostgreSQL"
        )


def fill_postgres(
    toolbox: Toolbox, target: Target, generation: Generation, live: str | None
) -> tuple[str, dict[str, Table], list[str]]:
    """Returns when the last change was, the sums of all tables, and what must be there beside
    it, as mindgraph-passages says it. `live` is a volume with a log that the archive may lack.

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
            raise _explained(error) from error
        # A database that is dead committed nothing after the time.
        output.complain(f"the log ends before {target.shown}; going on to its end")
        generation.remove_one(POSTGRES)
        generation.make(toolbox, [POSTGRES])
        try:
            said = _recover(toolbox, target, ("--type=default",), generation, live)
        except ToolFailed as again:
            raise _explained(again) from again
    lines = said.splitlines()
    middle = lines.index("tables")
    found = manifests.tables(lines[middle + 1 :])
    if target.exact:
        differences = manifests.differences(target.manifest.tables, found)
        if differences:
            raise Wrong(f"the database is not that of the backup: {'; '.join(differences[:5])}")
    elif not {*target.manifest.tables} & {*found}:
        raise Wrong("the database has none of the backup's tables")
    return lines[0].split("|")[2], found, lines[1:middle]


def _explained(error: ToolFailed) -> HostError:
    if error.ended != GAP:
        return error
    return Wrong(
        f"{error}\nThe archive has a gap, and a restore can't pass it. What is before the gap comes"
        " back with --before-gap."
    )


def fill_redis(
    toolbox: Toolbox, repository: Repository, target: Target, generation: Generation
) -> None:
    if REDIS not in target.manifest.parts:
        # It was a server elsewhere.
        return
    dump = repository.dump(REDIS, target.manifest.parts[REDIS])
    place = Mount(generation.volume(REDIS), PLACES[REDIS], writable=True)
    toolbox.pipe(dump, Tool("redis", ["mindgraph-redis-fill"], [place]))


def fill(
    toolbox: Toolbox, repository: Repository, target: Target, generation: Generation, beside: bool
) -> Filled:
    """All of it. With `beside`, what the volumes in use have is taken in as well; without it, the
    vectors of each document are told."""
    require_version(toolbox, target)
    live = {key: toolbox.volume(key) if beside else None for key in (FILES, POSTGRES)}
    there = {key: name if name and engine.find_volume(name) else None for key, name in live.items()}
    _require_space(toolbox, target)
    generation.make(toolbox)
    output.complain(f"recovering the database to {target.shown}")
    reached, tables, beside_it = fill_postgres(toolbox, target, generation, there[POSTGRES])
    output.complain("bringing back uploaded files and the search index")
    uploads.fill(toolbox, repository, target, generation, there[FILES])
    missing = uploads.missing(toolbox, generation.volume(FILES), beside_it)
    fill_redis(toolbox, repository, target, generation)
    index = vectors.read_index(beside_it)
    if beside and not toolbox.is_bundled("qdrant"):
        # Its points are where they were; what they lack is written when the database is there.
        return Filled(reached, tables, missing, index, Brought())
    brought = vectors.bring(toolbox, repository, target, generation, index, listed=not beside)
    return Filled(reached, tables, missing, index, brought)


def _require_space(toolbox: Toolbox, target: Target) -> None:
    """A restore that fills the disk would end the database that serves."""
    mounts = [Mount(toolbox.volume(BACKUPS), PLACES[BACKUPS])]
    command = ["df", "--output=avail", "--block-size=1", PLACES[BACKUPS]]
    free = int(toolbox.run(Tool("postgres", command, mounts)).split()[-1])
    needed = target.manifest.size + BESIDE_BYTES
    if free < needed:
        raise HostError(
            f"the disk has {free >> 20} MB left, and the restored data needs {needed >> 20} MB"
            " beside what is there; free some space. Nothing was done"
        )


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
    database = target.manifest.database
    command = ["mindgraph-recover", f"--system={database.system}"]
    if not target.gaps:
        command.append(f"--at-least={target.at_least or '0/0'}")
        command.append(f"--archived={archived.last(toolbox) or '0/0'}")
    command += [f"--set={database.label}", *options]
    return toolbox.run(Tool("postgres", command, mounts))
