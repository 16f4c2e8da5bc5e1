"""Which collection in Qdrant is searched, and which model made its vectors.

The database says so, in one row, and so the two can't disagree. The alias is for people and tools
that look into Qdrant.
"""

import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.errors import Conflict, Unavailable
from app.knowledge import chunk_queries
from app.knowledge.chunk_queries import Index
from app.vectors import collections
from app.vectors.library import QdrantClient

PREFIX = "chunks_"
ALIAS = "chunks"
GIVEN_UP_AFTER = timedelta(days=1)


class IndexMissing(Unavailable):
    """The search index isn't made yet; try again shortly."""


class IndexLost(Unavailable):
    """Qdrant has lost the search index; an administrator runs `mindgraph reindex`."""

    retry_after = 60


def ensure(database: Database, *, model: str, dimension: int) -> Index:
    """The active index; where there is none, one for this model is noted first."""
    found = active(database)
    if found is not None:
        return found
    try:
        with database.begin() as session:
            add(session, model=model, dimension=dimension, state="active")
    except Conflict:
        # Another process was faster.
        pass
    return require_active(database)


def active(database: Database) -> Index | None:
    with database.read() as session:
        return next((one for one in chunk_queries.list_indexes(session) if _serves(one)), None)


def require_active(database: Database) -> Index:
    """Raises IndexMissing."""
    found = active(database)
    if found is None:
        raise IndexMissing
    return found


def list_(database: Database) -> list[Index]:
    """Those that every version is written to: the active one, and one that is being built."""
    with database.read() as session:
        return chunk_queries.list_indexes(session)


def given_up(database: Database) -> Index | None:
    """An index that somebody began to build, and did not finish for a day."""
    before = clock.now() - GIVEN_UP_AFTER
    building = (one for one in list_(database) if one.state == "building")
    return next((one for one in building if one.created_at < before), None)


def prepare(database: Database, qdrant: QdrantClient) -> None:
    """Makes the collection of the active index, unless there are chunks that it should hold.

    Raises:
        IndexMissing, QdrantUnavailable.
        IndexLost: an empty one in its place would find nothing and say nothing.
    """
    index = require_active(database)
    require_collection(database, qdrant, index)
    collections.name_alias(qdrant, ALIAS, index.collection)


def require_collection(database: Database, qdrant: QdrantClient, index: Index) -> None:
    """As `prepare`, for any index that is written to."""
    lost = not collections.exists(qdrant, index.collection)
    if lost and index.state == "active" and is_needed(database):
        raise IndexLost
    collections.ensure(qdrant, index.collection, vector_size=index.dimension)


def is_needed(database: Database) -> bool:
    """Whether there is anything that a search should find."""
    with database.read() as session:
        return chunk_queries.exists_ready(session)


def add(session: Session, *, model: str, dimension: int, state: str) -> None:
    chunk_queries.add_index(
        session,
        # Databases that share a Qdrant never share a collection.
        collection=f"{PREFIX}{secrets.token_hex(8)}",
        model=model,
        dimension=dimension,
        state=state,
        created_at=clock.now(),
    )


def _serves(index: Index) -> bool:
    return index.state == "active"
