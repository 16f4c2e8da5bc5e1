"""Builds the search index anew from the database, beside the one that serves.

Every version that becomes ready meanwhile is written to both. When all is in, the new index is
compared with the database, and then it serves: in one transaction.
"""

from collections.abc import Callable

import structlog

from app import clock
from app.embedders.base import Embedder
from app.errors import Unavailable
from app.knowledge import chunk_queries, consistency, indexes
from app.knowledge.chunk_queries import Index
from app.knowledge.errors import ReindexDiffers
from app.knowledge.tools import Tools
from app.vectors import collections

log = structlog.get_logger(__name__)

BATCH = 256
# Each finds less than the one before, as only what came meanwhile is left.
MOST_PASSES = 5
ANOTHER = "Another reindex has just begun; wait for its end."


def reindex(tools: Tools, embedder: Embedder, report: Callable[[int, int], None]) -> Index:
    """Builds an index with the embedder's vectors and lets it serve. After a kill the next call
    goes on where this one was.

    Args:
        tools: what to work with.
        embedder: whose vectors the new index has.
        report: told how many chunks of how many are in.

    Returns:
        The new index.

    Raises:
        EmbedderMisconfigured, Unavailable: call it again.
        ReindexDiffers: the new index stayed different from the database.
    """
    delete_retired(tools)
    index = _begin(tools, embedder)
    collections.ensure(tools.qdrant, index.collection, vector_size=index.dimension)
    _fill(tools, index, report)
    _compare(tools, index)
    _switch(tools, index)
    return index


def delete_retired(tools: Tools) -> int:
    """Deletes the collections of indexes that serve no longer; how many."""
    with tools.database.read() as session:
        retired = chunk_queries.list_retired(session)
    for collection in retired:
        collections.delete(tools.qdrant, collection)
        with tools.database.begin(frees_space=True) as session:
            chunk_queries.delete_index(session, collection)
    return len(retired)


def _begin(tools: Tools, embedder: Embedder) -> Index:
    """The index that is being built for this embedder; a new one, or one that was cut off."""
    model, dimension = embedder.model, embedder.dimension
    begun = _building(tools)
    fits = begun is not None and (begun.model, begun.dimension) == (model, dimension)
    if begun is not None and fits and collections.exists(tools.qdrant, begun.collection):
        log.info("going on with an index that was cut off", collection=begun.collection)
        return begun
    with tools.database.begin() as session:
        if begun is not None:
            chunk_queries.change_index(session, begun.id, state="retired")
        indexes.add(session, model=model, dimension=dimension, state="building")
    made = _building(tools)
    if made is None:
        raise Unavailable(ANOTHER)
    return made


def _building(tools: Tools) -> Index | None:
    return next((one for one in indexes.list_(tools.database) if one.state == "building"), None)


def _fill(tools: Tools, index: Index, report: Callable[[int, int], None]) -> None:
    with tools.database.read() as session:
        total = chunk_queries.count_current(session)
    after, done = index.filled_to, 0
    while True:
        with tools.database.read() as session:
            passages = chunk_queries.list_current(session, after, BATCH)
        if not passages:
            return
        consistency.write(tools, index, passages)
        after = passages[-1].id
        done += len(passages)
        with tools.database.begin() as session:
            chunk_queries.change_index(session, index.id, filled_to=after)
        report(done, max(total, done))


def _compare(tools: Tools, index: Index) -> None:
    for _ in range(MOST_PASSES):
        superfluous, _seen = consistency.points_without_chunks(tools, index, fix=True)
        missing, _seen = consistency.chunks_without_points(tools, index, fix=True)
        if not superfluous.found and not missing.found:
            return
    raise ReindexDiffers


def _switch(tools: Tools, index: Index) -> None:
    with tools.database.begin() as session:
        live = chunk_queries.list_indexes(session)
        if index.id not in {one.id for one in live}:
            # The lock is lost with its connection, and another process has begun anew.
            raise Unavailable(ANOTHER)
        for one in live:
            if one.state == "active":
                chunk_queries.change_index(session, one.id, state="retired")
        chunk_queries.change_index(session, index.id, state="active", created_at=clock.now())
    collections.name_alias(tools.qdrant, indexes.ALIAS, index.collection)
