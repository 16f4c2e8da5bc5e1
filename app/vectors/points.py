"""The points of a collection: a passage each, with a dense and a sparse vector."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.errors import Unavailable
from app.vectors import client as clients
from app.vectors.collections import DENSE, DOCUMENT, KEYWORDS, TENANT, VERSION
from app.vectors.library import QdrantClient, UnexpectedResponse, models
from app.vectors.sparse import Sparse

Mode = Literal["semantic", "keyword"]

# How many candidates of each kind are fused, at the least.
FUSED = 60
# Chosen by the benchmark's questions (docs/performance.md): what means the same is worth more than
# what has the same words, and the first rank not much more than the tenth.
FUSION = 10
WEIGHTS: Mapping[Mode, float] = {"semantic": 2.0, "keyword": 1.0}
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
        limit: how many at most.
        documents: only these of the owner's; None for all.
        dense: what to look for by meaning.
        sparse: what to look for by words. With both, the rankings are fused.
    """

    user_id: int
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
    rankings = _rankings(client, collection, asked)
    return fused(rankings)[: asked.limit]


def fused(rankings: Mapping[Mode, Sequence[Hit]]) -> list[Hit]:
    """Reciprocal rank fusion: a hit's score is the sum of what its ranks are worth.

    Done here and not by Qdrant, whose fusion has had other constants in other releases, and no
    weights for long.
    """
    if len(rankings) == 1:
        return [*next(iter(rankings.values()))]
    scores: dict[UUID, float] = defaultdict(float)
    for mode, hits in rankings.items():
        for rank, hit in enumerate(hits, 1):
            scores[hit.id] += WEIGHTS[mode] / (FUSION + rank)
    best = sorted(scores, key=lambda one: (-scores[one], one))
    return [Hit(one, scores[one]) for one in best]


def _rankings(client: QdrantClient, collection: str, asked: Asked) -> dict[Mode, list[Hit]]:
    """The ranking of each kind that is asked for, in one request."""
    chosen = owned(asked.user_id, asked.documents)
    queries: dict[Mode, tuple[list[float] | models.SparseVector, str]] = {}
    if asked.dense is not None:
        queries["semantic"] = asked.dense.tolist(), DENSE
    if asked.sparse is not None and asked.sparse.indices:
        queries["keyword"] = _vector(asked.sparse), KEYWORDS
    limit = asked.limit if len(queries) == 1 else max(asked.limit, FUSED)
    requests = [
        models.QueryRequest(query=query, using=using, filter=chosen, limit=limit)
        for query, using in queries.values()
    ]
    if not requests:
        return {}
    with _reaching(client, collection):
        answers = client.query_batch_points(collection, requests)
    return {
        mode: [Hit(UUID(str(one.id)), one.score) for one in answer.points]
        for mode, answer in zip(queries, answers, strict=True)
    }


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
