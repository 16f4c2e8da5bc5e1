"""A restore from its checks to the running stack."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from host import output
from host.backups import checking
from host.backups.choosing import Target
from host.backups.postgres import Postgres
from host.backups.repository import Repository
from host.errors import HostError
from host.locking import Journal
from host.restores import filling, moving, rehearsing, switching
from host.restores.generations import SETTING, Generation
from host.stack import Stack
from host.toolbox import Toolbox

# What the journal says while a generation is made.
UNFINISHED = "generation"


def clean(stack: Stack, toolbox: Toolbox, journal: Journal) -> None:
    """Removes what a killed restore left; one that was killed after the switch is complete."""
    toolbox.remove_leftovers()
    rehearsing.clean(toolbox, journal)
    moving.clean(journal)
    left = journal.read().get(UNFINISHED)
    if left and left != stack.settings().get(SETTING, ""):
        Generation(toolbox.project, left).remove()
    elif left:
        switching.start(stack)
    journal.clear()


def restore(stack: Stack, toolbox: Toolbox, target: Target, journal: Journal) -> Generation:
    """Returns what was used before. Raises HostError, and then the stack has the data it had."""
    repository = Repository(toolbox)
    output.complain(f"checking backup {target.manifest.id}")
    checking.check(toolbox, repository, target.manifest)
    if _archive(stack):
        # The log goes on after the target; where it seems to end before, it has a gap.
        target = dataclasses.replace(target, at=None)
    before = Generation(toolbox.project, stack.settings().get(SETTING, ""))
    made = Generation(toolbox.project, datetime.now(UTC).strftime("-%Y%m%dT%H%M%SZ"))
    journal.note(**{UNFINISHED: made.name})
    try:
        filling.fill(toolbox, repository, target, made, beside=True)
        output.complain("starting the stack with the restored data")
        switching.switch(stack, made.name)
    except BaseException:
        toolbox.remove_leftovers()
        if stack.settings().get(SETTING, "") != made.name:
            made.remove()
        raise
    journal.clear()
    _index(stack)
    return before


def _archive(stack: Stack) -> bool:
    """Of a database that runs, all that was committed until now; whether that was so. A dead one's
    log is read from its volume."""
    script = "SELECT pg_current_xact_id()"
    try:
        # A change after the target: recovery to a time ends when it meets a later one.
        stack.run_in("postgres", "psql", "--quiet", "--dbname", "postgres", "--command", script)
        Postgres(stack).archive_all()
    except HostError:
        output.complain("the database or its archive doesn't answer; its volume is read instead")
        return False
    return True


def _index(stack: Stack) -> None:
    """Makes the index for searches, which is empty in the new volume, of what the database has."""
    output.complain("making the search index of the documents; all else is served already")
    try:
        stack.run_in("app", "mindgraph", "reindex")
    except HostError as error:
        output.complain(f"there is no search index yet; later run: mindgraph reindex\n{error}")
