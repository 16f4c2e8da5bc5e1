"""The search index: from a snapshot into a volume, and afterwards as the database has it."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Dict, Tuple

from host import output
from host.backups import vectors
from host.backups.choosing import Target
from host.backups.repository import Repository
from host.errors import HostError
from host.restores.generations import Generation
from host.stack import ComposeFailed, Stack
from host.toolbox import PLACES, QDRANT, Mount, Tool, Toolbox, ToolFailed

# Of a point's id, as mindgraph-passages sums them.
DIGITS = 15
# How many passages each document has, and the sum of their ids.
Documents = Dict[str, Tuple[int, int]]


@dataclass(frozen=True)
class Index:
    """The one that a database says serves; `documents` are those that it must find."""

    collection: str = ""
    dimension: int = 0
    model: str = ""
    documents: Documents = field(default_factory=dict)


@dataclass(frozen=True)
class Brought:
    """Without points in the volume there is a reason. The documents are told when asked for."""

    reason: str = ""
    documents: Documents = field(default_factory=dict)


def read_index(lines: list[str]) -> Index:
    """From what mindgraph-passages prints."""
    documents: Documents = {}
    head: list[str] = ["", "0", ""]
    for line in lines:
        kind, rest = line.split("|", 1)
        if kind == "index":
            head = rest.split("|", 2)
        elif kind == "document":
            name, count, total = rest.split("|")
            documents[name] = (int(count), int(total))
    return Index(head[0], int(head[1]), head[2], documents)


def bring(
    toolbox: Toolbox,
    repository: Repository,
    target: Target,
    generation: Generation,
    index: Index,
    *,
    listed: bool = False,
) -> Brought:
    """Fills the volume with the backup's snapshot, under the name that the database has for it.

    Raises:
        ToolFailed: there is no more room, or no engine; a snapshot that is refused is a reason.
    """
    reason = unfit(target, index)
    if reason:
        return Brought(reason)
    dump = repository.dump(vectors.NAME, target.manifest.parts[vectors.NAME])
    place = Mount(generation.volume(QDRANT), PLACES[QDRANT], writable=True)
    command = ["mindgraph-qdrant-fill", index.collection, *(["list"] if listed else [])]
    try:
        said = toolbox.pipe(dump, Tool("qdrant", command, [place]))
    except ToolFailed as error:
        # What it has made so far must not be taken for an index.
        generation.remove_one(QDRANT)
        generation.make(toolbox, [QDRANT])
        return Brought(str(error).strip().splitlines()[-1])
    return Brought(documents=counted(said))


def compare(index: Index, found: Documents) -> tuple[int, list[str]]:
    """How many documents are the same, and a sentence for each that is not."""
    said = []
    for name in sorted({*index.documents, *found}):
        wanted, there = index.documents.get(name, (0, 0)), found.get(name, (0, 0))
        if wanted[0] != there[0]:
            said.append(f"document {name} has {there[0]} vectors instead of {wanted[0]}")
        elif wanted != there:
            said.append(f"document {name} has vectors of other passages")
    return len({*index.documents, *found}) - len(said), said


def require_elsewhere(
    stack: Stack, toolbox: Toolbox, repository: Repository, target: Target, index: Index
) -> None:
    """Brings back a collection that a Qdrant elsewhere has lost, by way of the app."""
    if unfit(target, index) or _has(stack, index.collection):
        return
    dump = repository.dump(vectors.NAME, target.manifest.parts[vectors.NAME])
    loading = ("exec", "--no-TTY", "app", "mindgraph", "vectors", "load-snapshot", index.collection)
    try:
        toolbox.pipe_into(dump, stack.start(*loading, stdin=subprocess.PIPE))
    except ToolFailed as error:
        output.complain(f"Qdrant does not take the snapshot: {error}")


def _has(stack: Stack, collection: str) -> bool:
    try:
        said = stack.run_in("app", "mindgraph", "vectors", "snapshots")
    except ComposeFailed:
        return False
    return bool(json.loads(said.splitlines()[-1])["collection"] == collection)


def settle(stack: Stack, reason: str) -> None:
    """Lets the index of the running stack fit its database; with a `reason` it is made anew."""
    if not reason:
        try:
            said = stack.run_in("app", "mindgraph", "vectors", "mend")
            done = json.loads(said.splitlines()[-1])
            output.say(
                f"search index: {done['seen']} vectors are back, {done['removed']} of what is no "
                f"longer there removed, {done['written']} of what came later written"
            )
            return
        except ComposeFailed as error:
            reason = str(error).strip().splitlines()[-1]
    output.complain(f"the search index is made anew of all documents: {reason}")
    try:
        stack.run_in("app", "mindgraph", "reindex")
    except HostError as error:
        output.complain(f"there is no search index yet; later run: mindgraph reindex\n{error}")


def unfit(target: Target, index: Index) -> str:
    made = target.manifest.vectors
    if made.reason or vectors.NAME not in target.manifest.parts:
        return made.reason or "the backup has no snapshot of it"
    if not index.collection:
        return "the database has none at that moment"
    if (made.model, made.dimension) != (index.model, index.dimension):
        return f"the snapshot is of {made.model}, the database at that moment uses {index.model}"
    return ""


def counted(said: str) -> Documents:
    """From pages of points, a line each, as Qdrant answers."""
    counts: dict[str, int] = defaultdict(int)
    sums: dict[str, int] = defaultdict(int)
    for line in said.splitlines():
        points: list[dict[str, Any]] = json.loads(line)["result"]["points"]
        for point in points:
            name = str(point["payload"]["document_id"])
            counts[name] += 1
            sums[name] += int(str(point["id"]).replace("-", "")[:DIGITS], 16)
    return {name: (count, sums[name]) for name, count in counts.items()}
