"""Qdrant's part of a backup, and what makes it fit a database of another moment."""

from dataclasses import dataclass

from app.knowledge import consistency, indexes
from app.knowledge.tools import Tools
from app.vectors import points, snapshots
from app.vectors.snapshots import Snapshot


@dataclass(frozen=True)
class Made:
    """A snapshot of the index that serves: `points` is about how many it has."""

    snapshot: Snapshot
    model: str
    dimension: int
    points: int


@dataclass(frozen=True)
class Mended:
    """How many points were superfluous, how many were missing, and how many there were."""

    removed: int
    written: int
    seen: int


def collection(tools: Tools) -> str:
    """Of the index that serves. Raises IndexMissing."""
    return indexes.require_active(tools.database).collection


def make(tools: Tools) -> Made:
    """Raises IndexMissing, SnapshotNotFound, SnapshotRefused, QdrantUnavailable."""
    index = indexes.require_active(tools.database)
    made = snapshots.make(tools.settings, index.collection)
    held = points.count(tools.qdrant, index.collection)
    return Made(made, index.model, index.dimension, held)


def mend(tools: Tools) -> Mended:
    """Removes the points of what the database doesn't have, and writes those that are missing. A
    passage is embedded only where no vector of its text is kept.

    Raises:
        IndexMissing, CollectionMissing: only a reindex helps.
        EmbedderMisconfigured, Unavailable.
    """
    index = indexes.require_active(tools.database)
    indexes.require_collection(tools.database, tools.qdrant, index)
    superfluous, seen = consistency.points_without_chunks(tools, index, fix=True)
    missing, _ = consistency.chunks_without_points(tools, index, fix=True)
    return Mended(superfluous.fixed, missing.fixed, seen)
