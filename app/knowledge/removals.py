"""Deletes the points of versions that are gone. What is to be deleted stands in the database, from
the transaction on that made it superfluous."""

import structlog

from app import clock
from app.db.session import Database
from app.knowledge import chunk_queries, claim_queries
from app.vectors import points
from app.vectors.library import QdrantClient
from app.vectors.points import CollectionMissing

log = structlog.get_logger(__name__)

BATCH = 50


def drain(database: Database, qdrant: QdrantClient) -> bool:
    """Deletes what is due, up to a batch; whether there was anything.

    Raises:
        QdrantUnavailable: it stays due.
    """
    with database.read() as session:
        due = claim_queries.list_removals(session, clock.now(), BATCH)
        indexes = chunk_queries.list_indexes(session)
    if not due:
        return False
    for removal in due:
        for index in indexes:
            try:
                points.delete_version(qdrant, index.collection, removal.version_id)
            except CollectionMissing:
                # Whoever makes it anew puts nothing into it that is gone.
                log.warning("a collection is missing", collection=index.collection)
    with database.begin(frees_space=True) as session:
        claim_queries.delete_removals(session, [one.id for one in due])
    return True
