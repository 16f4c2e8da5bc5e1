"""A restore from its checks to the running stack."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from host import output
from host.backups import checking
from host.backups.choosing import Target
from host.backups.repository import Repository
from host.errors import HostError
from host.locking import Journal
from host.restores import archived, filling, moving, rehearsing, switching, vectors
from host.restores.filling import Filled
from host.restores.generations import SETTING, Generation
from host.stack import Stack
from host.toolbox import Toolbox

# What the journal says while a generation is made, and while the stack changes to it.
UNFINISHED, SWITCHING = "generation", "switching"


def clean(stack: Stack, toolbox: Toolbox, journal: Journal) -> None:
    """Removes what a killed restore left; one that was killed after the switch is complete."""
    toolbox.remove_leftovers()
    rehearsing.clean(toolbox, journal)
    moving.clean(stack, toolbox, journal)
    notes = journal.read()
    if notes.get(SWITCHING):
        # Whichever data the stack is to have, it was stopped for it.
        switching.start(stack)
    left = notes.get(UNFINISHED)
    if left and left != stack.settings().get(SETTING, ""):
        Generation.named(toolbox, left).remove()


def restore(
    stack: Stack, toolbox: Toolbox, target: Target, journal: Journal
) -> tuple[Generation, Filled]:
    """Returns what was used before, and what is used now. Raises HostError, and then the stack has
    the data it had."""
    repository = Repository(toolbox)
    output.complain(f"checking backup {target.manifest.id}")
    checking.check(toolbox, repository, target.manifest)
    target = archived.flush(stack, target)
    before, made = Generation.current(toolbox), Generation.fresh(toolbox)
    journal.note(**{UNFINISHED: made.name})
    with undone(stack, toolbox, journal, made):
        filled = filling.fill(toolbox, repository, target, made, beside=True)
        output.complain("starting the stack with the restored data")
        journal.note(**{SWITCHING: made.name})
        switching.switch(stack, {SETTING: made.name})
    journal.clear()
    if not toolbox.is_bundled("qdrant"):
        vectors.require_elsewhere(stack, toolbox, repository, target, filled.index)
    vectors.settle(stack, filled.vectors.reason)
    return before, filled


@contextmanager
def undone(stack: Stack, toolbox: Toolbox, journal: Journal, made: Generation) -> Iterator[None]:
    """When the block fails before the stack uses the generation, there is none."""
    try:
        yield
    except BaseException as error:
        toolbox.remove_leftovers()
        if stack.settings().get(SETTING, "") != made.name:
            made.remove()
            if isinstance(error, HostError):
                # The stack is as it was before; after anything else the next command sees to it.
                journal.clear()
        raise
