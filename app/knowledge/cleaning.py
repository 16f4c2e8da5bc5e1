"""Deletes what nobody needs any more. It may end at any point, and goes on the next time."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from app import clock
from app.knowledge import chunk_queries, claim_queries, reindexing, search_queries, storage
from app.knowledge.tools import Tools

log = structlog.get_logger(__name__)

# Younger vectors are kept, also without a passage: a file that comes again isn't embedded again.
VECTOR_DAYS = 30
TURN_DAYS = 1
BATCH = 1_000


def clean(tools: Tools) -> dict[str, int]:
    """How many of each were deleted. What can't be done now holds up nothing else.

    Raises:
        Unavailable: when all else is done.
    """
    cleaned: dict[str, int] = {}
    errors: list[Exception] = []
    for name, step in STEPS.items():
        try:
            cleaned[name] = step(tools)
        except Exception as error:
            log.warning("something can't be cleaned now", what=name, exc_info=True)
            errors.append(error)
    if errors:
        log.info("cleaned the rest", **cleaned)
        raise errors[0]
    return cleaned


def _files(tools: Tools) -> int:
    return len(storage.expire(tools.database, tools.files))


def _abandoned_uploads(tools: Tools) -> int:
    return tools.files.delete_abandoned()


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


def _turns(tools: Tools) -> int:
    with tools.database.begin(frees_space=True) as session:
        return claim_queries.delete_turns(session, clock.now() - timedelta(days=TURN_DAYS))


STEPS: dict[str, Callable[[Tools], int]] = {
    "files": _files,
    "abandoned_uploads": _abandoned_uploads,
    "vectors": _vectors,
    "searches": _searches,
    "turns": _turns,
    "collections": reindexing.delete_retired,
}
