"""From one major version of PostgreSQL to another: by a dump, into a volume beside the one in use.

While it is loaded, nobody can use the service: whatever were written meanwhile would be lost. The
old volume is only read, and stays.
"""

from __future__ import annotations

import re

from host import engine, output, releases
from host.backups import making
from host.backups.manifest import Manifest
from host.backups.postgres import FULL, SERVICE
from host.databases import dumping, leftovers, loading
from host.errors import HostError, WrongUse
from host.operations import Operation
from host.restores import switching
from host.restores.generations import VERSION, Generation
from host.running import is_production
from host.stack import Stack
from host.toolbox import PLACES, POSTGRES, Mount, Tool, Toolbox

# PostgreSQL's own log and temporary files while it is loaded.
RESERVE = 512 * 2**20
LABEL = re.compile(r"[1-9][0-9]*(\.[0-9]+)*\Z")


def upgrade(work: Operation, version: str) -> Generation:
    """Returns the volumes in use before. Raises HostError, and then the stack is as it was."""
    if not LABEL.match(version):
        raise WrongUse(f"{version!r} is no version of PostgreSQL; name one as 18")
    stack, before = work.stack, Generation.current(work.toolbox)
    toolbox, made = Toolbox(stack, {VERSION: version}), leftovers.generation(work.toolbox, version)
    _require_possible(stack, toolbox, version, made)
    work.journal.note(**{leftovers.UPGRADE: version, leftovers.BEFORE: before.version})
    try:
        made.make(toolbox, [POSTGRES])
        _require_room(stack, toolbox, made)
        output.complain("stopping the service; it is away until the new database has everything")
        switching.stop(stack)
        with dumping.begun(stack, 0) as (tables, dump):
            output.complain("loading all tables into the new database")
            found = loading.load(toolbox, made.volume(POSTGRES), dump)
        loading.require_same(tables, found)
        output.complain(f"{len(found)} tables are the same; starting the stack with them")
        switching.switch(stack, {VERSION: version})
    except BaseException as error:
        work.toolbox.remove_leftovers()
        if isinstance(error, HostError):
            leftovers.clean_upgrade(stack, work.toolbox, work.journal)
            work.journal.clear()
        raise
    work.journal.clear()
    return before


def back_up(work: Operation) -> Manifest | None:
    """Earlier backups are of another server's database, and nothing since is in them."""
    if not is_production(work.stack):
        return None
    fresh = Operation(work.stack, Toolbox(work.stack), work.journal)
    return making.make(fresh, FULL, new_database=True)


def _require_possible(stack: Stack, toolbox: Toolbox, version: str, made: Generation) -> None:
    if not toolbox.is_bundled("postgres"):
        raise WrongUse("the database is elsewhere (BUNDLED_POSTGRES=0); upgrade it there")
    if stack.settings().get(VERSION, "") == version:
        raise WrongUse(f"the stack runs with POSTGRES_VERSION={version} already")
    if releases.find(toolbox.image("postgres")) is None:
        raise WrongUse(
            f"there is no image {toolbox.image('postgres')}; build it: "
            f"POSTGRES_VERSION={version} make build"
        )
    now = int(_ask(stack, "SHOW server_version_num")) // 10_000
    said = toolbox.run(Tool("postgres", ["postgres", "--version"]))
    new = int(re.findall(r"\d+", said)[0])
    if new < now:
        raise WrongUse(f"{version} is PostgreSQL {new}, which can't read what {now} has written")
    volume = made.volume(POSTGRES)
    if engine.find_volume(volume):
        raise WrongUse(
            f"volume {volume} is there, from an earlier upgrade to {version}; when nobody needs "
            f"it: docker volume rm {volume}"
        )


def _require_room(stack: Stack, toolbox: Toolbox, made: Generation) -> None:
    size = int(_ask(stack, "SELECT pg_database_size('mindgraph')"))
    place = Mount(made.volume(POSTGRES), PLACES[POSTGRES], writable=True)
    command = ["df", "--block-size=1", "--output=avail", PLACES[POSTGRES]]
    free = int(toolbox.run(Tool("postgres", command, [place])).split()[-1])
    needed = size * 3 // 2 + RESERVE
    if free < needed:
        raise HostError(
            f"the new database needs {needed / 1e6:.0f} MB, and there are {free / 1e6:.0f}; make "
            "room on the engine's disk (`docker system df` shows what takes it)"
        )


def _ask(stack: Stack, query: str) -> str:
    options = ("--no-psqlrc", "--no-align", "--tuples-only", "--dbname=mindgraph")
    return stack.run_in(SERVICE, "psql", *options, "--command", query).strip()
