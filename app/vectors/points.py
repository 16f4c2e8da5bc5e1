"""The points of a collection: a passage each, with a dense and a sparse vector."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from app.errors import Unavailable
from app.vectors import client as clients
from app.vectors.collections import DENSE, DOCUMENT, KEYWORDS, TENANT, VERSION
from app.vectors.sparse import Sparse

Mode = Literal["semantic", "keyword", "hybrid"]

# How many candidates of each kind are fused.
FUSED = 60
PAGE = 1_000


class CollectionMissing(Unavailable):
    """The search index is missing in Qdrant; an administrator runs `mindgraph reindex`."""

    retry_after = 60


@dataclass(frozen=True)
class Point:
    """A passage as Qdrant gets it. The dense vector has the dimension of the collection."""

    id: UUID
    user_id: int
    document_id: str
    version_id: str
    dense: NDArray[np.float32]
    sparse: Sparse


@dataclass(frozen=True)
class Hit:
    """A passage that was found, by its point; of scores only the order means something."""

    id: UUID
    score: float


@dataclass(frozen=True)
class Place:
    """Which version a point in Qdrant says that it is of."""

    id: UUID
    version_id: str


@dataclass(frozen=True)
class Asked:
    """What is looked for, and whose: every search has an owner.

    Args:
        user_id: whose points are looked at.
        documents: only these of the owner's; None for all.
        dense: for "semantic" and "hybrid".
        sparse: for "keyword" and "hybrid".
    """

    user_id: int
    mode: Mode
    limit: int
    documents: Collection[str] | None = None
    dense: NDArray[np.float32] | None = None
    sparse: Sparse | None = None


def upsert(client: QdrantClient, collection: str, points: Sequence[Point]) -> None:
    """Writes points and returns when they are stored; again, it changes nothing.

    Raises:
        QdrantUnavailable, CollectionMissing.
    """
    with _reaching(client, collection):
        client.upsert(collection, [_struct(one) for one in points], wait=True)


def delete_version(client: QdrantClient, collection: str, version_id: str) -> None:
    """Deletes all points of a version. Raises QdrantUnavailable, CollectionMissing."""
    with _reaching(client, collection):
        client.delete(collection, models.Filter(must=[_is(VERSION, version_id)]), wait=True)


def delete(client: QdrantClient, collection: str, ids: Collection[UUID]) -> None:
    """Deletes points. Raises QdrantUnavailable, CollectionMissing."""
    with _reaching(client, collection):
        chosen = models.PointIdsList(points=[str(one) for one in ids])
        client.delete(collection, chosen, wait=True)


def existing(client: QdrantClient, collection: str, ids: Collection[UUID]) -> set[UUID]:
    """Which of these points there are. Raises QdrantUnavailable, CollectionMissing."""
    with _reaching(client, collection):
        found = client.retrieve(collection, [str(one) for one in ids], with_payload=False)
    return {UUID(str(one.id)) for one in found}


def scan(client: QdrantClient, collection: str) -> Iterator[list[Place]]:
    """All points in the order of their ids, a page at a time.

    Raises:
        QdrantUnavailable, CollectionMissing.
    """
    after: models.ExtendedPointId | None = None
    while True:
        with _reaching(client, collection):
            records, after = client.scroll(
                collection, limit=PAGE, offset=after, with_payload=[VERSION]
            )
        yield [Place(UUID(str(one.id)), str((one.payload or {}).get(VERSION))) for one in records]
        if after is None:
            return


def count(client: QdrantClient, collection: str) -> int:
    """Raises QdrantUnavailable, CollectionMissing."""
    with _reaching(client, collection):
        return client.count(collection, exact=True).count


def search(client: QdrantClient, collection: str, asked: Asked) -> list[Hit]:
    """The best points of the owner, best first. Raises QdrantUnavailable, CollectionMissing."""
    chosen = owned(asked.user_id, asked.documents)
    dense = None if asked.dense is None else asked.dense.tolist()
    sparse = None if asked.sparse is None else _vector(asked.sparse)
    with _reaching(client, collection):
        if asked.mode == "hybrid":
            # The filter stands in each part: a fusion has none of its own.
            parts = [
                models.Prefetch(query=query, using=using, filter=chosen, limit=FUSED)
                for query, using in ((dense, DENSE), (sparse, KEYWORDS))
            ]
            fusion = models.FusionQuery(fusion=models.Fusion.RRF)
            found = client.query_points(
                collection,
                fusion,
                prefetch=parts,
                query_filter=chosen,
                limit=asked.limit,
                with_payload=False,
            )
        else:
            query, using = (dense, DENSE) if asked.mode == "semantic" else (sparse, KEYWORDS)
            found = client.query_points(
                collection,
                query,
                using=using,
                query_filter=chosen,
                limit=asked.limit,
                with_payload=False,
            )
    return [Hit(UUID(str(one.id)), one.score) for one in found.points]


def owned(user_id: int, documents: Collection[str] | None) -> models.Filter:
    """The one filter of every search: the owner's points, or those of some documents of theirs."""
    conditions: list[models.Condition] = [_is(TENANT, user_id)]
    if documents is not None:
        match = models.MatchAny(any=sorted(documents))
        conditions.append(models.FieldCondition(key=DOCUMENT, match=match))
    return models.Filter(must=conditions)


def _is(field: str, value: str | int) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _struct(point: Point) -> models.PointStruct:
    return models.PointStruct(
        id=str(point.id),
        vector={DENSE: point.dense.tolist(), KEYWORDS: _vector(point.sparse)},
        payload={
            TENANT: point.user_id,
            DOCUMENT: point.document_id,
            VERSION: point.version_id,
        },
    )


def _vector(sparse: Sparse) -> models.SparseVector:
    return models.SparseVector(indices=list(sparse.indices), values=list(sparse.values))


@contextmanager
def _reaching(client: QdrantClient, collection: str) -> Iterator[None]:
    """As `clients.using`; a collection that isn't there is told apart."""
    with clients.using(client):
        try:
            yield
        except (UnexpectedResponse, ValueError) as error:
            if not client.collection_exists(collection):
                raise CollectionMissing from error
            raise
