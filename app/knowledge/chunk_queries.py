"""Chunks, their vectors, and the indexes in Qdrant that hold them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.db import inserts
from app.knowledge import states
from app.knowledge.models import Chunk, Document, Embedding, VectorIndex, Version

FLOAT = np.dtype("<f4")

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Passage:
    """A chunk as the steps after chunking need it."""

    id: int
    ordinal: int
    point_id: UUID
    content: str
    headings: list[str]
    tokens: int
    embedding_key: str
    version_id: str
    document_id: str
    user_id: int
    title: str | None


@dataclass(frozen=True)
class Index:
    """A collection in Qdrant and the model of its vectors."""

    id: int
    collection: str
    model: str
    dimension: int
    state: str
    filled_to: int
    created_at: datetime


def add_chunks(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    session.execute(insert(Chunk), rows)


def list_of_version(session: Session, version_id: str, after: int, limit: int) -> Sequence[Passage]:
    """Chunks of a version from above an ordinal, in order."""
    statement = _passages().where(Chunk.version_id == version_id, Chunk.ordinal > after)
    return _read(session, statement.order_by(Chunk.ordinal).limit(limit))


def list_without_vector(
    session: Session, version_id: str, index: Index, limit: int
) -> Sequence[Passage]:
    """The first chunks of a version whose text no embedding of the index's model is kept for."""
    statement = _passages().where(Chunk.version_id == version_id, ~_embedded(index))
    return _read(session, statement.order_by(Chunk.ordinal).limit(limit))


def count_without_vector(session: Session, version_id: str, index: Index) -> int:
    statement = select(func.count()).where(Chunk.version_id == version_id, ~_embedded(index))
    return session.scalar(statement) or 0


def count_of_version(session: Session, version_id: str) -> int:
    return session.scalar(select(func.count()).where(Chunk.version_id == version_id)) or 0


def list_current(session: Session, after: int, limit: int) -> Sequence[Passage]:
    """Chunks of versions that are found or wait to be, from above an id, in order."""
    live = Version.state.in_([states.READY, states.INDEXING])
    statement = _passages().where(Chunk.id > after, live)
    return _read(session, statement.order_by(Chunk.id).limit(limit))


def exists_ready(session: Session) -> bool:
    """Whether any version serves."""
    return (
        session.scalar(select(Version.id).where(Version.state == states.READY).limit(1)) is not None
    )


def count_current(session: Session) -> int:
    statement = select(func.count(Chunk.id)).join(Version, Version.id == Chunk.version_id)
    live = Version.state.in_([states.READY, states.INDEXING])
    return session.scalar(statement.where(live)) or 0


def save_vectors(
    session: Session, index: Index, vectors: Mapping[str, Vector], now: datetime
) -> None:
    """Keeps vectors under the keys of their texts; one that is there already stays."""
    rows = [
        {
            "key": key,
            "model": index.model,
            "dimension": index.dimension,
            "vector": vector.astype(FLOAT).tobytes(),
            "created_at": now,
        }
        # In one order, so that two writers never wait for each other in a circle.
        for key, vector in sorted(vectors.items())
    ]
    if rows:
        session.execute(inserts.into(session, Embedding).on_conflict_do_nothing(), rows)


def vectors(session: Session, index: Index, keys: Collection[str]) -> dict[str, Vector]:
    """Those of the vectors that are kept, float32 of the index's dimension."""
    statement = select(Embedding.key, Embedding.vector).where(
        Embedding.key.in_(keys),
        Embedding.model == index.model,
        Embedding.dimension == index.dimension,
    )
    return {
        row.key: np.frombuffer(row.vector, FLOAT).astype(np.float32)
        for row in session.execute(statement)
    }


def delete_unused_vectors(session: Session, before: datetime, limit: int) -> int:
    """Deletes vectors that no chunk has and that weren't used since; how many."""
    key = (Embedding.key, Embedding.model, Embedding.dimension)
    doomed = (
        select(*key)
        .where(Embedding.created_at < before)
        .where(~exists().where(Chunk.embedding_key == Embedding.key))
        .limit(limit)
    )
    result = session.execute(delete(Embedding).where(tuple_(*key).in_(doomed)))
    assert isinstance(result, CursorResult)
    return result.rowcount


# Indexes


def list_indexes(session: Session) -> list[Index]:
    """Those that are searched or built, the active one first."""
    columns = [getattr(VectorIndex, name) for name in Index.__dataclass_fields__]
    statement = (
        select(*columns)
        .where(VectorIndex.state.in_(["active", "building"]))
        .order_by(VectorIndex.state)
    )
    return [Index(**row._mapping) for row in session.execute(statement)]


def list_retired(session: Session) -> list[str]:
    """The collections of retired indexes."""
    statement = select(VectorIndex.collection).where(VectorIndex.state == "retired")
    return list(session.scalars(statement))


def add_index(session: Session, **values: Any) -> None:
    session.add(VectorIndex(**values))
    session.flush()


def change_index(session: Session, index_id: int, **values: Any) -> None:
    session.execute(update(VectorIndex).where(VectorIndex.id == index_id).values(**values))


def retire_building(session: Session, index_id: int) -> None:
    """Ends an index, unless it serves by now."""
    session.execute(
        update(VectorIndex)
        .where(VectorIndex.id == index_id, VectorIndex.state == "building")
        .values(state="retired")
    )


def delete_index(session: Session, collection: str) -> None:
    session.execute(delete(VectorIndex).where(VectorIndex.collection == collection))


# Of all chunks and points


def with_chunks(session: Session, point_ids: Collection[UUID]) -> set[UUID]:
    """Those of the points whose chunks there are."""
    return set(session.scalars(select(Chunk.point_id).where(Chunk.point_id.in_(point_ids))))


def scan_ready(session: Session, after: UUID | None, limit: int) -> list[UUID]:
    """The points of the chunks that must be found, in their order."""
    statement = (
        select(Chunk.point_id)
        .join(Version, Version.id == Chunk.version_id)
        .where(Version.state == states.READY)
        .order_by(Chunk.point_id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(Chunk.point_id > after)
    return list(session.scalars(statement))


def passages_of_points(session: Session, point_ids: Collection[UUID]) -> Sequence[Passage]:
    """The chunks of these points that must be found."""
    ready = Version.state == states.READY
    return _read(session, _passages().where(Chunk.point_id.in_(point_ids), ready))


def _embedded(index: Index) -> ColumnElement[bool]:
    return exists().where(
        Embedding.key == Chunk.embedding_key,
        Embedding.model == index.model,
        Embedding.dimension == index.dimension,
    )


def _passages() -> Any:
    return (
        select(
            Chunk.id,
            Chunk.ordinal,
            Chunk.point_id,
            Chunk.content,
            Chunk.headings,
            Chunk.tokens,
            Chunk.embedding_key,
            Chunk.version_id,
            Version.document_id,
            Document.user_id,
            Version.title,
        )
        .join(Version, Version.id == Chunk.version_id)
        .join(Document, Document.id == Version.document_id)
    )


def _read(session: Session, statement: Any) -> list[Passage]:
    rows: Iterator[Any] = session.execute(statement)
    return [Passage(**row._mapping) for row in rows]
