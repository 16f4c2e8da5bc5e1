"""Finds passages: by meaning, by words, or by both. Every search has an owner.

Qdrant says which passages are near; the database says whether they are the owner's and still
there, and what they read. So what Qdrant has too much or too late is never shown.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.embedders.errors import EmbedderMisconfigured
from app.embedders.gate import Gate
from app.embedders.pool import Embedders
from app.errors import AppError, Unavailable
from app.http import pagination
from app.http.pagination import Page
from app.knowledge import fallback, indexes, queries, search_queries, snippets
from app.knowledge.chunk_queries import Index
from app.knowledge.errors import SearchNotFound, SemanticSearchUnavailable
from app.knowledge.models import Feedback, Search
from app.knowledge.schemas import (
    DocumentFilter,
    FeedbackIn,
    Found,
    HitOut,
    Kind,
    Mode,
    SearchOut,
)
from app.knowledge.search_queries import Passage
from app.vectors import points, sparse
from app.vectors.client import QdrantUnavailable
from app.vectors.guard import Guard, QdrantBusy
from app.vectors.library import QdrantClient
from app.vectors.points import Asked, CollectionMissing

log = structlog.get_logger(__name__)

# What Qdrant is asked for beyond the wanted: some may be of versions that serve no longer.
SPARE = 20
# So many times as much, when these were too few.
WIDER = 10
EVERYTHING = DocumentFilter()

SearchPage = Page[SearchOut]


@dataclass(frozen=True)
class Searcher:
    """What a search works with. Built once for each process."""

    database: Database
    qdrant: QdrantClient
    embedders: Embedders
    gate: Gate
    guard: Guard


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for."""

    user_id: int
    text: str
    mode: Mode = "hybrid"
    limit: int = 10
    chosen: DocumentFilter = EVERYTHING


@dataclass(frozen=True)
class Ranked:
    """Passages, best first, what they come from, and why it isn't what was asked for."""

    passages: Sequence[Passage]
    mode: Mode
    degraded: str | None = None


def search(searcher: Searcher, wanted: Wanted, *, kind: Kind = "search") -> Found:
    """The passages that fit best, and a note in the history.

    Raises:
        SemanticSearchUnavailable: only for a semantic search; others are answered by keywords.
    """
    start = time.perf_counter()
    ranked = rank(searcher, wanted)
    hits = [_hit(at, one, wanted.text) for at, one in enumerate(ranked.passages, 1)]
    search_id = _note(searcher.database, wanted, ranked, kind, time.perf_counter() - start)
    return Found(id=search_id, mode=ranked.mode, degraded=ranked.degraded, hits=hits)


def rank(searcher: Searcher, wanted: Wanted) -> Ranked:
    """As `search`, without what people need to read it and without a note."""
    documents = None
    if not wanted.chosen.is_open:
        with searcher.database.read() as session:
            documents = queries.list_ids(session, wanted.user_id, wanted.chosen)
        if not documents:
            return Ranked([], wanted.mode)
    if wanted.mode == "keyword":
        return _by_keywords(searcher, wanted, documents, None)
    try:
        return _by_vectors(searcher, wanted, documents)
    except (Unavailable, EmbedderMisconfigured) as error:
        if wanted.mode == "semantic":
            raise _unavailable(error) from error
        log.warning("a search is answered by keywords alone", reason=error.detail)
        if isinstance(error, (QdrantUnavailable, QdrantBusy, CollectionMissing)):
            # Asked again, it would keep a thread waiting for as long once more.
            return _by_database(searcher, wanted, documents, error.detail)
        return _by_keywords(searcher, wanted, documents, error.detail)


def list_history(session: Session, user_id: int, *, limit: int, cursor: str | None) -> SearchPage:
    """One's searches, newest first. Raises InvalidCursor."""
    before: int | None = pagination.decode(cursor, int)[0] if cursor else None
    found = search_queries.list_page(session, user_id, limit + 1, before)
    items = found[:limit]
    more = len(found) > limit
    return SearchPage(items=items, next_cursor=pagination.encode(items[-1].id) if more else None)


def delete_history(session: Session, user_id: int) -> int:
    """Deletes one's searches with their feedback; how many."""
    return search_queries.delete_history(session, user_id)


def note_feedback(session: Session, user_id: int, search_id: int, said: FeedbackIn) -> None:
    """Keeps what somebody says about a hit of an own search.

    Raises:
        SearchNotFound: also for a rank that the search doesn't have.
    """
    found = search_queries.find(session, user_id, search_id)
    if found is None or said.rank > len(found.hits):
        raise SearchNotFound
    feedback = Feedback(search_id=search_id, created_at=clock.now(), **said.model_dump())
    search_queries.save_feedback(session, feedback)


def _by_vectors(searcher: Searcher, wanted: Wanted, documents: Sequence[str] | None) -> Ranked:
    return _with_index(searcher, lambda index: _near(searcher, index, wanted, documents))


def _with_index(searcher: Searcher, ask: Callable[[Index], Ranked]) -> Ranked:
    """What the index says that serves; when it was replaced meanwhile, what its successor says."""
    index = indexes.require_active(searcher.database)
    try:
        return ask(index)
    except CollectionMissing:
        now = indexes.require_active(searcher.database)
        if now.collection == index.collection:
            raise
        return ask(now)


def _near(
    searcher: Searcher, index: Index, wanted: Wanted, documents: Sequence[str] | None
) -> Ranked:
    # Nothing is embedded, which takes time and may cost money, that isn't looked for afterwards.
    searcher.guard.check()
    with searcher.gate.entered():
        embedder = searcher.embedders.of(index.model, index.dimension)
        dense = embedder.embed_query(wanted.text)
    asked = Asked(
        user_id=wanted.user_id,
        limit=wanted.limit + SPARE,
        documents=documents,
        dense=dense,
        sparse=None if wanted.mode == "semantic" else sparse.of_query(wanted.text),
    )
    return Ranked(_found(searcher, index, asked, wanted), wanted.mode)


def _by_keywords(
    searcher: Searcher, wanted: Wanted, documents: Sequence[str] | None, degraded: str | None
) -> Ranked:
    words = sparse.of_query(wanted.text)
    if not words.indices:
        return Ranked([], "keyword", degraded)
    asked = Asked(
        user_id=wanted.user_id,
        limit=wanted.limit + SPARE,
        documents=documents,
        sparse=words,
    )
    try:
        return _with_index(
            searcher,
            lambda index: Ranked(_found(searcher, index, asked, wanted), "keyword", degraded),
        )
    except Unavailable as error:
        log.warning("the database answers a search for keywords", reason=error.detail)
        return _by_database(searcher, wanted, documents, degraded or error.detail)


def _by_database(
    searcher: Searcher, wanted: Wanted, documents: Sequence[str] | None, degraded: str
) -> Ranked:
    with searcher.database.read() as session:
        passages = fallback.search(session, wanted.user_id, wanted.text, documents, wanted.limit)
    return Ranked(passages, "keyword", degraded)


def _found(searcher: Searcher, index: Index, asked: Asked, wanted: Wanted) -> list[Passage]:
    ids = _ask(searcher, index, asked)
    passages = _shown(searcher, wanted, ids)
    if len(passages) < wanted.limit and len(ids) == asked.limit:
        # Many that are gone were nearer, and wait to be deleted from Qdrant.
        ids = _ask(searcher, index, replace(asked, limit=asked.limit * WIDER))
        passages = _shown(searcher, wanted, ids)
    return passages[: wanted.limit]


def _ask(searcher: Searcher, index: Index, asked: Asked) -> list[UUID]:
    with searcher.guard.entered():
        return [one.id for one in points.search(searcher.qdrant, index.collection, asked)]


def _shown(searcher: Searcher, wanted: Wanted, ids: Sequence[UUID]) -> list[Passage]:
    """Those that are the owner's and still there: of that the database has the last word."""
    with searcher.database.read() as session:
        shown = search_queries.passages(session, wanted.user_id, ids)
    return [shown[one] for one in ids if one in shown]


def _hit(rank_: int, passage: Passage, text: str) -> HitOut:
    snippet = snippets.snippet(passage.content, text)
    return HitOut(
        rank=rank_,
        document_id=passage.document_id,
        title=passage.title,
        name=passage.name,
        version=passage.number,
        ordinal=passage.ordinal,
        page=passage.page,
        headings=passage.headings,
        start=passage.start_offset,
        end=passage.end_offset,
        snippet=snippet.text,
        snippet_start=passage.start_offset + snippet.start,
        highlights=list(snippet.highlights),
        content=passage.content,
    )


def _note(database: Database, wanted: Wanted, ranked: Ranked, kind: Kind, seconds: float) -> int:
    hits = [
        {"document_id": one.document_id, "version": one.number, "ordinal": one.ordinal}
        for one in ranked.passages
    ]
    with database.begin() as session:
        return search_queries.add(
            session,
            Search(
                user_id=wanted.user_id,
                query=wanted.text,
                mode=ranked.mode,
                kind=kind,
                hits=hits,
                milliseconds=round(seconds * 1000, 1),
                created_at=clock.now(),
            ),
        )


def _unavailable(error: AppError) -> SemanticSearchUnavailable:
    return SemanticSearchUnavailable(
        f"Passages can't be found by meaning now ({error.detail}) A search by keywords answers.",
        retry_after=error.retry_after,
    )
