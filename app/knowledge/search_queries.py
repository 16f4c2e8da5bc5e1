"""Passages that a search finds, and the history of searches. The owner is in each statement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, cast, column, delete, func, literal, or_, select, table
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.db import terms
from app.knowledge import states
from app.knowledge.models import Chunk, Document, Feedback, Search, Version
from app.knowledge.schemas import SearchOut

# The full-text index of SQLite, made by the migration.
FTS = table("knowledge_chunks_fts", column("rowid"), column("knowledge_chunks_fts"))


@dataclass(frozen=True)
class Passage:
    """A passage of a version that serves, as a search shows it."""

    id: int
    point_id: UUID
    document_id: str
    title: str
    name: str
    number: int
    ordinal: int
    page: int | None
    headings: list[str]
    start_offset: int
    end_offset: int
    content: str


def passages(session: Session, user_id: int, point_ids: Collection[UUID]) -> dict[UUID, Passage]:
    """Those of the user's passages that have these points, and may be found."""
    statement = _served(_shown(), user_id).where(Chunk.point_id.in_(point_ids))
    return {row.point_id: Passage(**row._mapping) for row in session.execute(statement)}


def passages_by_id(session: Session, user_id: int, ids: Collection[int]) -> dict[int, Passage]:
    """As `passages`, by the numbers of the chunks."""
    statement = _served(_shown(), user_id).where(Chunk.id.in_(ids))
    return {row.id: Passage(**row._mapping) for row in session.execute(statement)}


def count_with(session: Session, user_id: int, wanted: Sequence[str], most: int) -> dict[str, int]:
    """How many of the user's chunks have each term, counted up to `most`."""
    found = {}
    for term in wanted:
        some = select(Chunk.id).where(_matching(session, user_id, [term])).limit(most).subquery()
        found[term] = session.scalar(select(func.count()).select_from(some)) or 0
    return found


def candidates(
    session: Session,
    user_id: int,
    weights: dict[str, float],
    chosen: Collection[str],
    documents: Collection[str] | None,
    limit: int,
) -> list[int]:
    """The chunks with any of the chosen terms, those first whose terms weigh most.

    Args:
        weights: of all terms that are looked for.
        chosen: those of them that a chunk must have one of.
        documents: only of these; None for all of the user's.
        limit: how many at most.
    """
    statement = _served(select(Chunk.id), user_id).where(
        or_(*(_matching(session, user_id, [one]) for one in chosen))
    )
    if documents is not None:
        statement = statement.where(Document.id.in_(documents))
    weight = sum(
        (
            case((_matching(session, user_id, [term]), value), else_=0.0)
            for term, value in weights.items()
        ),
        start=literal(0.0),
    )
    return list(session.scalars(statement.order_by(weight.desc(), Chunk.id).limit(limit)))


def count_chunks(session: Session, user_id: int) -> int:
    """How many chunks of the user may be found."""
    statement = select(func.coalesce(func.sum(Version.chunks), 0)).join(
        Document, Document.id == Version.document_id
    )
    served = (Document.user_id == user_id, Version.state == states.READY)
    return int(session.scalar(statement.where(*served)) or 0)


def add(session: Session, search: Search) -> int:
    session.add(search)
    session.flush()
    return search.id


def list_page(session: Session, user_id: int, limit: int, before: int | None) -> list[SearchOut]:
    """One's history, newest first."""
    columns = [getattr(Search, name) for name in SearchOut.model_fields]
    statement = select(*columns).where(Search.user_id == user_id)
    if before is not None:
        statement = statement.where(Search.id < before)
    rows = session.execute(statement.order_by(Search.id.desc()).limit(limit))
    return [SearchOut.model_validate(row, from_attributes=True) for row in rows]


def find(session: Session, user_id: int, search_id: int) -> Search | None:
    return session.scalar(select(Search).where(Search.id == search_id, Search.user_id == user_id))


def delete_history(session: Session, user_id: int) -> int:
    return _deleted(session, delete(Search).where(Search.user_id == user_id))


def delete_older(session: Session, before: datetime, limit: int) -> int:
    doomed = select(Search.id).where(Search.created_at < before).order_by(Search.id).limit(limit)
    return _deleted(session, delete(Search).where(Search.id.in_(doomed)))


def save_feedback(session: Session, feedback: Feedback) -> None:
    """In place of what was said before about the same hit."""
    session.merge(feedback)
    session.flush()


def _deleted(session: Session, statement: Any) -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount


def _matching(session: Session, user_id: int, wanted: Sequence[str]) -> Any:
    """Whether a chunk is the user's and has all of these terms."""
    everything = [terms.of_owner(user_id), *wanted]
    if session.get_bind().dialect.name == "postgresql":
        return Chunk.terms.bool_op("@@")(cast(terms.as_tsquery(everything, ()), TSQUERY))
    query = terms.as_fts_query(everything, ())
    found = select(FTS.c.rowid).where(FTS.c.knowledge_chunks_fts.op("MATCH")(query))
    return Chunk.id.in_(found)


def _shown() -> Any:
    return select(
        Chunk.id,
        Chunk.point_id,
        Document.id.label("document_id"),
        Document.title,
        Document.name,
        Version.number,
        Chunk.ordinal,
        Chunk.page,
        Chunk.headings,
        Chunk.start_offset,
        Chunk.end_offset,
        Chunk.content,
    )


def _served(statement: Select[Any], user_id: int) -> Select[Any]:
    """Only chunks of the user, and of versions that serve."""
    return (
        statement.select_from(Chunk)
        .join(Version, Version.id == Chunk.version_id)
        .join(Document, Document.id == Version.document_id)
        .where(Document.user_id == user_id, Version.state == states.READY)
    )
