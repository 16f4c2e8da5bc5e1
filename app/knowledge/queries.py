"""Documents and versions. Each statement that a user asks for names the owner."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, select, tuple_, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.knowledge import states
from app.knowledge.models import Chunk, Document, Tag, Version
from app.knowledge.schemas import DocumentFilter, DocumentOut, VersionOut

# The last row of a page.
Position = tuple[datetime, str]


def add(session: Session, document: Document, version: Version) -> None:
    session.add(document)
    session.flush()
    add_version(session, version)


def add_version(session: Session, version: Version) -> None:
    session.add(version)
    session.flush()


def lock(session: Session, user_id: int, document_id: str) -> Document | None:
    """The document as it is now; nobody else changes it until the end of the transaction."""
    statement = select(Document).where(Document.id == document_id, Document.user_id == user_id)
    return session.scalar(
        statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    )


def find_by_content(session: Session, user_id: int, sha256: str) -> Document | None:
    return session.scalar(
        select(Document).where(Document.user_id == user_id, Document.sha256 == sha256)
    )


def find(session: Session, user_id: int, document_id: str) -> DocumentOut | None:
    statement = _with_newest().where(Document.id == document_id, Document.user_id == user_id)
    found = _shown(session, statement)
    return found[0] if found else None


def exists(session: Session, user_id: int, document_id: str) -> bool:
    statement = select(Document.id).where(Document.id == document_id, Document.user_id == user_id)
    return session.scalar(statement) is not None


def list_page(
    session: Session, user_id: int, chosen: DocumentFilter, limit: int, before: Position | None
) -> list[DocumentOut]:
    """Newest first."""
    statement = _with_newest().where(*_meant(user_id, chosen))
    if chosen.state is not None:
        statement = statement.where(Version.state == chosen.state)
    if before is not None:
        statement = statement.where(tuple_(Document.created_at, Document.id) < before)
    statement = statement.order_by(Document.created_at.desc(), Document.id.desc()).limit(limit)
    return _shown(session, statement)


def list_ids(session: Session, user_id: int, chosen: DocumentFilter) -> list[str]:
    """The documents that a search may look into."""
    return list(session.scalars(select(Document.id).where(*_meant(user_id, chosen))))


def list_all_ids(session: Session, user_id: int) -> list[str]:
    return list(session.scalars(select(Document.id).where(Document.user_id == user_id)))


def find_version(
    session: Session, user_id: int, document_id: str, number: int | None
) -> Version | None:
    """A version by its number; None for the current one, or the newest while there is none."""
    wanted = func.coalesce(Document.current, Document.newest) if number is None else number
    return session.scalar(
        select(Version)
        .join(Document, Document.id == Version.document_id)
        .where(Document.id == document_id, Document.user_id == user_id, Version.number == wanted)
    )


def lock_version(session: Session, document_id: str, number: int) -> Version | None:
    """A version as it is now. The document is locked already."""
    statement = select(Version).where(Version.document_id == document_id, Version.number == number)
    return session.scalar(
        statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    )


def list_versions(session: Session, user_id: int, document_id: str) -> list[VersionOut]:
    """Newest first."""
    rows = session.scalars(
        select(Version)
        .join(Document, Document.id == Version.document_id)
        .where(Document.id == document_id, Document.user_id == user_id)
        .order_by(Version.number.desc())
    )
    return [VersionOut.model_validate(row) for row in rows]


def delete_superfluous(session: Session, document_id: str, kept: int) -> None:
    """Deletes ended versions before the newest one, but for the last `kept` of them."""
    newest = select(Document.newest).where(Document.id == document_id)
    statement = (
        select(Version.id)
        .where(
            Version.document_id == document_id,
            Version.number < newest.scalar_subquery(),
            Version.state.in_([states.REPLACED, *states.STOPPED]),
        )
        .order_by(Version.number.desc())
        .offset(kept)
    )
    delete_versions(session, list(session.scalars(statement)))


def list_live(session: Session, document_id: str) -> list[Version]:
    """The versions of a document that have points, or may get some."""
    live = Version.state.in_([states.READY, *states.UNFINISHED])
    return list(
        session.scalars(
            select(Version)
            .where(Version.document_id == document_id, live)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )


def delete_versions(session: Session, ids: Collection[str]) -> None:
    session.execute(delete(Version).where(Version.id.in_(ids)))


def list_files(session: Session, document_ids: Collection[str]) -> list[str]:
    """The hashes of all files of some documents."""
    statement = select(Version.sha256).where(Version.document_id.in_(document_ids)).distinct()
    return list(session.scalars(statement))


def list_files_of(session: Session, user_id: int) -> list[str]:
    """The hashes of all files of a user."""
    statement = select(Version.sha256).join(Document, Document.id == Version.document_id)
    return list(session.scalars(statement.where(Document.user_id == user_id).distinct()))


def needed_files(session: Session, hashes: Collection[str]) -> set[str]:
    """Which of these files some version is of."""
    return set(session.scalars(select(Version.sha256).where(Version.sha256.in_(hashes))))


def has_versions(session: Session) -> bool:
    return session.scalar(select(Version.id).limit(1)) is not None


def scan_files(session: Session, after: str, limit: int) -> list[tuple[str, int]]:
    """The hashes and sizes of all files that are needed, from above one hash, in order."""
    statement = (
        select(Version.sha256, func.max(Version.size))
        .where(Version.sha256 > after)
        .group_by(Version.sha256)
        .order_by(Version.sha256)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def delete_document(session: Session, document_id: str) -> bool:
    result = session.execute(delete(Document).where(Document.id == document_id))
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def change(session: Session, document_id: str, **values: Any) -> None:
    session.execute(update(Document).where(Document.id == document_id).values(**values))


def name_untitled(session: Session, document_id: str, name: str, title: str) -> None:
    """Gives a document the title of its text, unless it has got another than its name."""
    session.execute(
        update(Document)
        .where(Document.id == document_id, Document.title == name)
        .values(title=title)
    )


def set_tags(session: Session, document_id: str, tags: Collection[str]) -> None:
    session.execute(delete(Tag).where(Tag.document_id == document_id))
    if tags:
        session.execute(insert(Tag), [{"document_id": document_id, "tag": one} for one in tags])


def count(session: Session, user_id: int) -> int:
    return session.scalar(select(func.count()).where(Document.user_id == user_id)) or 0


def size(session: Session, user_id: int) -> int:
    """Bytes of all versions of a user."""
    statement = (
        select(func.coalesce(func.sum(Version.size), 0))
        .join(Document, Document.id == Version.document_id)
        .where(Document.user_id == user_id)
    )
    return int(session.scalar(statement) or 0)


def count_tags(session: Session, user_id: int) -> dict[str, int]:
    statement = (
        select(Tag.tag, func.count())
        .join(Document, Document.id == Tag.document_id)
        .where(Document.user_id == user_id)
        .group_by(Tag.tag)
        .order_by(Tag.tag)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def read_chunks(
    session: Session, version_id: str, start: int, end: int
) -> Sequence[tuple[int, str]]:
    """Where the chunks begin that lie within a part of the text, and what they say."""
    statement = (
        select(Chunk.start_offset, Chunk.content)
        .where(Chunk.version_id == version_id, Chunk.end_offset > start, Chunk.start_offset < end)
        .order_by(Chunk.ordinal)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def _with_newest() -> Any:
    newest = and_(Version.document_id == Document.id, Version.number == Document.newest)
    return select(Document, Version).join(Version, newest)


def _shown(session: Session, statement: Select[Any]) -> list[DocumentOut]:
    rows = session.execute(statement).all()
    tags: dict[str, list[str]] = {}
    ids = [row[0].id for row in rows]
    if ids:
        for tag in session.scalars(select(Tag).where(Tag.document_id.in_(ids)).order_by(Tag.tag)):
            tags.setdefault(tag.document_id, []).append(tag.tag)
    return [
        DocumentOut(
            id=document.id,
            name=document.name,
            title=document.title,
            tags=tags.get(document.id, []),
            details=document.details,
            current=document.current,
            newest=VersionOut.model_validate(version),
            created_at=document.created_at,
            updated_at=document.updated_at,
        )
        for document, version in rows
    ]


def _meant(user_id: int, chosen: DocumentFilter) -> list[ColumnElement[bool]]:
    meant = [Document.user_id == user_id]
    if chosen.document is not None:
        meant.append(Document.id == chosen.document)
    if chosen.name is not None:
        meant.append(Document.title.icontains(chosen.name, autoescape=True))
    if chosen.after is not None:
        meant.append(Document.created_at >= chosen.after)
    if chosen.before is not None:
        meant.append(Document.created_at < chosen.before)
    if chosen.tag is not None:
        tagged = select(Tag.document_id).where(Tag.tag == chosen.tag)
        meant.append(Document.id.in_(tagged))
    return meant
