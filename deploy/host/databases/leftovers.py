"""What killed runs leave of databases, and how they are cleaned up."""

from __future__ import annotations

from host import engine
from host.locking import Journal
from host.restores import switching
from host.restores.generations import SETTING, VERSION, Generation
from host.stack import ComposeFailed, Stack
from host.toolbox import POSTGRES, Toolbox

# What the journal says while a dump is tried out: the volume.
SCRATCH = "scratch"
# And during an upgrade, from before the service stops until it serves again: both versions.
UPGRADE, BEFORE = "version", "version_before"


def clean(stack: Stack, toolbox: Toolbox, journal: Journal) -> None:
    clean_scratch(journal)
    clean_upgrade(stack, toolbox, journal)


def clean_scratch(journal: Journal) -> None:
    left = journal.read().get(SCRATCH)
    if left:
        engine.remove_volumes(left)
        journal.note(**{SCRATCH: ""})


def clean_upgrade(stack: Stack, toolbox: Toolbox, journal: Journal) -> None:
    """The service runs again: with the new database if that is what the stack was told to use and
    is well, or else with the old one, and then the new one is removed."""
    notes = journal.read()
    version = notes.get(UPGRADE)
    if not version:
        return
    try:
        switching.start(stack)
    except ComposeFailed:
        if stack.settings().get(VERSION, "") != version:
            raise
        switching.change(stack, {VERSION: notes[BEFORE]})
        switching.start(stack)
    if stack.settings().get(VERSION, "") != version:
        generation(toolbox, version).remove_one(POSTGRES)
    journal.note(**{UPGRADE: "", BEFORE: ""})


def generation(toolbox: Toolbox, version: str) -> Generation:
    """The one in use, with the database of another version of PostgreSQL."""
    return Generation(toolbox.project, toolbox.stack.settings().get(SETTING, ""), version)
