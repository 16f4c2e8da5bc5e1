"""The first steps: from a version's file to its chunks in the database."""

import hashlib
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app import clock, keywords, metrics
from app.db import terms
from app.knowledge import chunk_queries, chunking, claim_queries, indexes, queries, states
from app.knowledge.claim_queries import Claimed
from app.knowledge.claims import Claim
from app.knowledge.errors import (
    ChunkLimitReached,
    ExtractionCancelled,
    FileHasNoText,
    FileMissing,
)
from app.knowledge.extraction import sandbox
from app.knowledge.extraction.limits import Limits
from app.knowledge.states import State
from app.knowledge.texts import ChunkText, Extracted
from app.knowledge.tools import Tools
from app.settings import Settings
from app.users import service as users

BATCH = 500


def read(tools: Tools, claim: Claim, version: Claimed, stop: threading.Event) -> State:
    """Extracts the version's text and stores its chunks; the state that it is in then.

    Raises:
        FileRefused, FileMissing, ChunkLimitReached: final.
        ExtractionFailed, ExtractionCancelled, Unavailable, ClaimLost.
    """
    with claim.writing() as session:
        claim.write(session, state=states.EXTRACTING, error=None, problem=None)
    path = tools.files.path(version.sha256)
    if not path.is_file():
        raise FileMissing
    ended = _Ended(stop, claim.lost)
    extracted = sandbox.extract(path, version.name, _limits(tools.settings), stop=ended)
    index = indexes.require_active(tools.database)
    embedder = tools.embedders.of(index.model, index.dimension)
    title = _title(version, extracted)
    chunks = _limited(
        chunking.chunk(extracted, embedder.count_tokens, most_tokens=embedder.most_tokens),
        tools.settings,
        ended,
    )
    if not chunks:
        raise FileHasNoText
    _reserve(tools, claim, version, len(chunks), title)
    # Nothing is locked that others want: a book's passages take a while.
    for batch in _batches(chunks):
        rows = [_row(version, title, one) for one in batch]
        with claim.writing() as session:
            chunk_queries.add_chunks(session, rows)
    with claim.writing() as session:
        claim.write(
            session,
            state=states.EMBEDDING,
            attempts=0,
            title=title,
            media_type=extracted.media_type,
            pages=extracted.pages,
            characters=chunks[-1].end,
            embedded=0,
        )
    metrics.INGESTED_PAGES.inc(extracted.pages or 0)
    return states.EMBEDDING


def point_id(version_id: str, ordinal: int) -> uuid.UUID:
    """The same for the same chunk, whoever makes it and how often."""
    return uuid.uuid5(uuid.UUID(version_id), str(ordinal))


def _reserve(tools: Tools, claim: Claim, version: Claimed, chunks: int, title: str) -> None:
    """Counts the chunks against the owner's quota, and makes room for them."""

    def lock(session: Session) -> None:
        users.lock(session, version.user_id)
        claim_queries.lock_document(session, version.document_id)

    with claim.writing(lock) as session:
        # Versions before this one that are still on their way will never be found.
        claim_queries.end_earlier(
            session, version.document_id, version.number, clock.now(), of=states.UNFINISHED
        )
        owned = claim_queries.count_chunks_beside(session, version)
        if owned + chunks > tools.settings.knowledge_chunk_quota:
            raise ChunkLimitReached(_too_many(tools.settings))
        # From a try that was cut off.
        claim_queries.delete_chunks(session, version.id)
        queries.name_untitled(session, version.document_id, version.name, title)
        claim.write(session, chunks=chunks)


class _Ended(threading.Event):
    """Set when one of several events is."""

    def __init__(self, *events: threading.Event) -> None:
        super().__init__()
        self.events = events

    def is_set(self) -> bool:
        return any(one.is_set() for one in self.events)


def _row(version: Claimed, title: str, chunk: ChunkText) -> dict[str, Any]:
    text = chunking.embedding_text(title, chunk)
    return {
        "version_id": version.id,
        "ordinal": chunk.ordinal,
        "point_id": point_id(version.id, chunk.ordinal),
        "start_offset": chunk.start,
        "end_offset": chunk.end,
        "content": chunk.content,
        "page": chunk.page,
        "headings": list(chunk.headings),
        "tokens": chunk.tokens,
        "embedding_key": hashlib.sha256(text.encode()).hexdigest(),
        "terms": [*dict.fromkeys(keywords.of_passage(text)), terms.of_owner(version.user_id)],
    }


def _limited(
    chunks: Iterator[ChunkText], settings: Settings, ended: threading.Event
) -> list[ChunkText]:
    """All of them.

    Raises:
        ChunkLimitReached: as soon as nobody could have so many.
        ExtractionCancelled: `ended` is set.
    """
    found = []
    for chunk in chunks:
        if ended.is_set():
            raise ExtractionCancelled
        found.append(chunk)
        if len(found) > settings.knowledge_chunk_quota:
            raise ChunkLimitReached(_too_many(settings))
    return found


def _too_many(settings: Settings) -> str:
    return (
        f"You may have {settings.knowledge_chunk_quota} passages at most in all your documents, "
        "and with this one they would be more; delete some documents first."
    )


def _title(version: Claimed, extracted: Extracted) -> str:
    given = version.title if version.title != version.name else None
    return (given or extracted.title or version.name)[:300]


def _limits(settings: Settings) -> Limits:
    return Limits(
        seconds=settings.extraction_timeout_s,
        memory_mb=settings.extraction_memory_mb,
        pages=settings.knowledge_page_limit,
        characters=settings.knowledge_character_limit,
        unpacked_mb=settings.extraction_unpacked_limit_mb,
    )


def _batches(chunks: Sequence[ChunkText]) -> Iterator[Sequence[ChunkText]]:
    for at in range(0, len(chunks), BATCH):
        yield chunks[at : at + BATCH]
