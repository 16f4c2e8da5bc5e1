"""The last steps: chunks get vectors, which go into Qdrant, and then the version is found."""

import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from app import clock, metrics
from app.embedders.errors import EmbedderMisconfigured
from app.knowledge import chunk_queries, chunking, claim_queries, indexes, queries, states
from app.knowledge.chunk_queries import Index, Passage, Vector
from app.knowledge.claim_queries import Claimed
from app.knowledge.claims import Claim
from app.knowledge.states import State
from app.knowledge.tools import Tools
from app.vectors import points, sparse
from app.vectors.points import Point

log = structlog.get_logger(__name__)

# Texts that are embedded before they are noted, and the worker looks whether others wait.
SLICE = 32
UPSERT = 128


class VectorsMissing(Exception):
    """Some passages have no vector of an index's model."""


def embed(tools: Tools, claim: Claim, version: Claimed, stop: threading.Event) -> State:
    """Embeds what isn't yet, for every index; the state that the version is in then.

    When others are due, it stops after a slice, so that a book doesn't keep a page waiting.

    Raises:
        EmbedderMisconfigured, Unavailable, ClaimLost.
    """
    for index in indexes.list_(tools.database):
        try:
            if not _embed_for(tools, claim, version, index, stop):
                return states.EMBEDDING
        except EmbedderMisconfigured as error:
            if index.state == "active":
                raise
            _give_up(tools, index, error)
    with claim.writing() as session:
        claim.write(session, state=states.INDEXING, attempts=0)
    return states.INDEXING


def index(tools: Tools, claim: Claim, version: Claimed, stop: threading.Event) -> None:
    """Writes the version's points to every index, and lets the version be found.

    Raises:
        Unavailable, ClaimLost.
    """
    written = []
    for one in indexes.list_(tools.database):
        indexes.require_collection(tools.database, tools.qdrant, one)
        if not _write(tools, claim, version, one, stop):
            return
        written.append(one.id)
    _finish(tools, claim, version, written)


def embed_passages(tools: Tools, index: Index, passages: Sequence[Passage]) -> dict[str, Vector]:
    """Vectors by the keys of the passages, each different text embedded once.

    Raises:
        EmbedderMisconfigured, Unavailable.
    """
    texts = {one.embedding_key: text_of(one) for one in passages}
    embedder = tools.embedders.of(index.model, index.dimension)
    return dict(zip(texts, embedder.embed_passages(list(texts.values())), strict=True))


def upsert(tools: Tools, index: Index, passages: Sequence[Passage]) -> None:
    """Writes the points of passages to an index; of passages that are gone none stays.

    Raises:
        VectorsMissing, QdrantUnavailable, CollectionMissing.
    """
    with tools.database.read() as session:
        kept = chunk_queries.vectors(session, index, {one.embedding_key for one in passages})
    if any(one.embedding_key not in kept for one in passages):
        raise VectorsMissing
    made = {one.point_id: _point(one, kept[one.embedding_key]) for one in passages}
    points.upsert(tools.qdrant, index.collection, list(made.values()))
    # A process that stood still on its way here comes after those who deleted their points.
    with tools.database.read() as session:
        gone = made.keys() - chunk_queries.with_chunks(session, made.keys())
    if gone:
        points.delete(tools.qdrant, index.collection, gone)


def text_of(passage: Passage) -> str:
    """What is embedded of a passage, and what it is found by."""
    return chunking.embedding_text(passage.title or "", passage)


def _point(passage: Passage, dense: Vector) -> Point:
    return Point(
        id=passage.point_id,
        user_id=passage.user_id,
        document_id=passage.document_id,
        version_id=passage.version_id,
        dense=dense,
        sparse=sparse.of_passage(text_of(passage)),
    )


def _embed_for(
    tools: Tools, claim: Claim, version: Claimed, index: Index, stop: threading.Event
) -> bool:
    """Embeds what has no vector for an index; False when it stopped before the end."""
    while True:
        with tools.database.read() as session:
            passages = chunk_queries.list_without_vector(session, version.id, index, SLICE)
        if not passages:
            return True
        claim.require()
        vectors = embed_passages(tools, index, passages)
        if not _note(claim, version, index, vectors, stop):
            return False


def _give_up(tools: Tools, index: Index, error: EmbedderMisconfigured) -> None:
    """Ends an index that is being built for settings that are gone. No search uses it, and a
    reindex that still goes on notices."""
    with tools.database.begin() as session:
        chunk_queries.retire_building(session, index.id)
    log.error("an index that was being built is given up", model=index.model, reason=error.detail)


def _note(
    claim: Claim,
    version: Claimed,
    index: Index,
    vectors: dict[str, Vector],
    stop: threading.Event,
) -> bool:
    """Keeps the vectors and says how far it is; whether to go on with this version."""
    with claim.writing() as session:
        chunk_queries.save_vectors(session, index, vectors, clock.now())
        left = chunk_queries.count_without_vector(session, version.id, index)
        total = chunk_queries.count_of_version(session, version.id)
        others = claim_queries.count_due(session, clock.now())
        rest = stop.is_set() or (left > 0 and others > 0)
        released = _released() if rest else {}
        claim.write(
            session, embedded=total - left, attempts=0, error=None, problem=None, **released
        )
    metrics.INGESTED_CHUNKS.inc(len(vectors))
    return not rest


def _write(
    tools: Tools, claim: Claim, version: Claimed, index: Index, stop: threading.Event
) -> bool:
    """Writes all points of the version to one index; False when it stopped before the end."""
    after = -1
    while True:
        with tools.database.read() as session:
            passages = chunk_queries.list_of_version(session, version.id, after, UPSERT)
        if not passages:
            return True
        claim.require()
        try:
            upsert(tools, index, passages)
        except VectorsMissing:
            # An index has come that this version was not embedded for.
            with claim.writing() as session:
                claim.write(session, state=states.EMBEDDING, **_released())
            return False
        if stop.is_set():
            with claim.writing() as session:
                claim.write(session, **_released())
            return False
        after = passages[-1].ordinal


def _finish(tools: Tools, claim: Claim, version: Claimed, written: Collection[int]) -> None:
    def lock(session: Session) -> None:
        claim_queries.lock_document(session, version.document_id)

    with claim.writing(lock) as session:
        if {one.id for one in chunk_queries.list_indexes(session)} - set(written):
            # An index has come meanwhile.
            claim.write(session, state=states.EMBEDDING, **_released())
            return
        now = clock.now()
        if claim_queries.has_later(session, version.document_id, version.number):
            # A later version was ready first.
            claim_queries.delete_chunks(session, version.id)
            claim_queries.add_removals(session, {version.id: now})
            claim.write(session, state=states.REPLACED, **_ended(now))
            return
        claim_queries.end_earlier(session, version.document_id, version.number, now)
        claim_queries.set_current(session, version.document_id, version.number, now)
        kept = tools.settings.knowledge_version_limit - 1
        queries.delete_superfluous(session, version.document_id, kept)
        claim.write(session, state=states.READY, error=None, problem=None, **_ended(now))
    metrics.INGESTION_RESULTS.labels("ready").inc()


def _released() -> dict[str, Any]:
    return {"claim": None, "claimed_until": None, "due_at": clock.now()}


def _ended(now: datetime) -> dict[str, Any]:
    return {"claim": None, "claimed_until": None, "due_at": None, "finished_at": now}
