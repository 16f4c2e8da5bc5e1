"""A restore from its checks to the running stack."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone

from host import output
from host.backups import checking
from host.backups.choosing import Target
from host.backups.postgres import Postgres
from host.backups.repository import Repository
from host.errors import HostError
from host.locking import Journal
from host.restores import filling, moving, rehearsing, switching, vectors
from host.restores.generations import SETTING, Generation
from host.stack import Stack
from host.toolbox import Toolbox

# What the journal says while a generation is made, and while the stack changes to it.
UNFINISHED, SWITCHING = "generation", "switching"


def clean(stack: Stack, toolbox: Toolbox, journal: Journal) -> None:
    """Removes what a killed restore left; one that was killed after the switch is complete."""
    toolbox.remove_leftovers()
    rehearsing.clean(toolbox, journal)
    moving.clean(journal)
    notes = journal.read()
    if notes.get(SWITCHING):
        # Whichever data the stack is to have, it was stopped for it.
        switching.start(stack)
    left = notes.get(UNFINISHED)
    if left and left != stack.settings().get(SETTING, ""):
        Generation(toolbox.project, left).remove()


def restore(stack: Stack, toolbox: Toolbox, target: Target, journal: Journal) -> Generation:
    """Returns what was used before. Raises HostError, and then the stack has the data it had."""
    repository = Repository(toolbox)
    output.complain(f"checking backup {target.manifest.id}")
    checking.check(toolbox, repository, target.manifest)
    if _archive(stack):
        # The log goes on after the target; where it seems to end before, it has a gap.
        target = dataclasses.replace(target, at=None)
    before = Generation(toolbox.project, stack.settings().get(SETTING, ""))
    made = Generation(toolbox.project, datetime.now(timezone.utc).strftime("-%Y%m%dT%H%M%SZ"))
    journal.note(**{UNFINISHED: made.name})
    try:
        filled = filling.fill(toolbox, repository, target, made, beside=True)
        output.complain("starting the stack with the restored data")
        journal.note(**{SWITCHING: made.name})
        switching.switch(stack, made.name)
    except BaseException as error:
        toolbox.remove_leftovers()
        if stack.settings().get(SETTING, "") != made.name:
            made.remove()
            if isinstance(error, HostError):
                # The stack is as it was before; after anything else the next command sees to it.
                journal.clear()
        raise
    journal.clear()
    if not toolbox.is_bundled("qdrant"):
        vectors.require_elsewhere(stack, toolbox, repository, target, filled.index)
    vectors.settle(stack, filled.vectors.reason)
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
