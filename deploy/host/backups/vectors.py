"""Qdrant's part: a snapshot of the search index that serves, over Qdrant's own API, by the app.

Without one a restore makes the index anew, so what goes wrong here is no end of a backup.
"""

from __future__ import annotations

import json
from typing import Any

from host import output
from host.backups.manifest import Part, Vectors
from host.backups.repository import Repository
from host.errors import HostError
from host.locking import Journal
from host.stack import ComposeFailed, Stack

NAME = "vectors"
SERVICE = "app"
# What the journal says while Qdrant may have a snapshot of ours: those that it had before.
UNFINISHED = "snapshots"


class NotGiven(HostError):
    """Qdrant gave no whole snapshot."""


def save(
    stack: Stack, repository: Repository, backup: str, journal: Journal
) -> tuple[Vectors, dict[str, Part]]:
    """Returns what the manifest says of it, and the part by its name where there is one."""
    try:
        before = _ask(stack, "snapshots")
        journal.note(**{UNFINISHED: json.dumps(before)})
        try:
            made = _ask(stack, "snapshot")
            part = _store(stack, repository, backup, made["snapshot"])
            _run(stack, "delete-snapshot", made["snapshot"]["collection"], made["snapshot"]["name"])
            journal.note(**{UNFINISHED: ""})
        finally:
            clean(stack, journal)
    except (ComposeFailed, NotGiven) as error:
        reason = str(error).strip().splitlines()[-1]
        output.complain(f"no snapshot of the search index; a restore makes it anew: {reason}")
        return Vectors(reason=reason), {}
    found = Vectors(
        made["snapshot"]["collection"], made["model"], made["dimension"], made["points"]
    )
    return found, {NAME: part}


def clean(stack: Stack, journal: Journal) -> None:
    """Deletes in Qdrant what a run has left there."""
    left = journal.read().get(UNFINISHED)
    if not left:
        return
    before = json.loads(left)
    try:
        now = _ask(stack, "snapshots")
        if now["collection"] == before["collection"]:
            for name in sorted({*now["names"]} - {*before["names"]}):
                _run(stack, "delete-snapshot", now["collection"], name)
    except ComposeFailed as error:
        reason = str(error).strip().splitlines()[-1]
        output.complain(f"a snapshot of {before['collection']} may be left in Qdrant: {reason}")
    journal.note(**{UNFINISHED: ""})


def _store(stack: Stack, repository: Repository, backup: str, made: dict[str, Any]) -> Part:
    """Raises NotGiven."""
    reading = stack.start(
        *("exec", "--no-TTY", SERVICE, "mindgraph", "vectors", "read-snapshot"),
        *(made["collection"], made["name"]),
    )
    assert reading.stdout
    assert reading.stderr
    part = repository.save_stream(NAME, backup, reading.stdout)
    said = reading.stderr.read().decode(errors="replace")
    wrong = ""
    if reading.wait():
        wrong = said[-1000:] or f"the app ended with {reading.returncode}"
    elif part.size != made["size"] or (made["checksum"] or part.sha256) != part.sha256:
        wrong = "what Qdrant gave is not the snapshot that it made"
    if wrong:
        repository.forget([part.snapshot])
        raise NotGiven(wrong)
    return part


def _ask(stack: Stack, *arguments: str) -> dict[str, Any]:
    """Raises ComposeFailed."""
    found: dict[str, Any] = json.loads(_run(stack, *arguments).splitlines()[-1])
    return found


def _run(stack: Stack, *arguments: str) -> str:
    return stack.run_in(SERVICE, "mindgraph", "vectors", *arguments)
