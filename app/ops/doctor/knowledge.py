"""Whether documents, files and Qdrant are equal."""

from app.db.session import Database
from app.embedders.pool import Embedders
from app.errors import AppError
from app.knowledge import consistency, indexes
from app.knowledge.files import Files
from app.knowledge.tools import Tools
from app.ops.doctor import findings
from app.ops.doctor.findings import Finding
from app.settings import Settings
from app.vectors import collections, points
from app.vectors.library import QdrantClient

# So many are compared in seconds; with more, the doctor is no patient's friend.
MOST_POINTS = 50_000
CHECK = "mindgraph knowledge check"


def examine(database: Database, qdrant: QdrantClient, settings: Settings) -> list[Finding]:
    """Nothing where there is no index yet, or it can't be asked: `search` tells that."""
    try:
        index = indexes.require_active(database)
        if not collections.exists(qdrant, index.collection):
            return []
        held = points.count(qdrant, index.collection)
        if held > MOST_POINTS:
            seen = f"{held} points are too many to be compared here; `{CHECK}` does"
            return [findings.ok("consistency", seen)]
        return [_compared(database, qdrant, settings)]
    except AppError:
        return []


def _compared(database: Database, qdrant: QdrantClient, settings: Settings) -> Finding:
    embedders = Embedders(settings)
    try:
        tools = Tools(database, qdrant, Files(settings.files_dir), embedders, settings)
        found = consistency.check(tools, fix=False, at_once=False)
    finally:
        embedders.close()
    seen = f"{found.chunks} chunks, {found.points} points, {found.files} files"
    if found.is_clean:
        return findings.ok("consistency", f"{seen} are equal")
    differences = ", ".join(f"{one.found} {one.what}" for one in found.differences if one.found)
    return findings.warning("consistency", f"{seen}: {differences}", f"`{CHECK} --fix`")
