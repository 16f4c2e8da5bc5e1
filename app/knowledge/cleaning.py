"""Deletes what nobody needs any more. It may end at any point, and goes on the next time."""

from datetime import timedelta

from app import clock
from app.knowledge import chunk_queries, reindexing, search_queries, storage
from app.knowledge.tools import Tools

# Younger vectors are kept, also without a passage: a file that comes again isn't embedded again.
VECTOR_DAYS = 30
BATCH = 1_000


def clean(tools: Tools) -> dict[str, int]:
    """How many of each were deleted.

    Raises:
        Unavailable.
    """
    return {
        "files": len(storage.expire(tools.database, tools.files)),
        "abandoned_uploads": tools.files.delete_abandoned(),
        "vectors": _vectors(tools),
        "searches": _searches(tools),
        "collections": reindexing.delete_retired(tools),
    }


def _vectors(tools: Tools) -> int:
    before = clock.now() - timedelta(days=VECTOR_DAYS)
    deleted, total = BATCH, 0
    while deleted == BATCH:
        with tools.database.begin(frees_space=True) as session:
            deleted = chunk_queries.delete_unused_vectors(session, before, BATCH)
        total += deleted
    return total


def _searches(tools: Tools) -> int:
    before = clock.now() - timedelta(days=tools.settings.knowledge_history_days)
    deleted, total = BATCH, 0
    while deleted == BATCH:
        with tools.database.begin(frees_space=True) as session:
            deleted = search_queries.delete_older(session, before, BATCH)
        total += deleted
    return total
