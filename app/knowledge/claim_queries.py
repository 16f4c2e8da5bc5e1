"""What a worker asks and says about the versions that it takes forward.

Whoever writes something for a version names the claim, so that one who has lost it writes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.knowledge import states
from app.knowledge.models import Chunk, Document, Removal, Version


@dataclass(frozen=True)
class Claimed:
    """A version that this worker has, and what its steps need of it and its document."""

    id: str
    claim: str
    state: str
    attempts: int
    number: int
    sha256: str
    document_id: str
    user_id: int
    name: str
    title: str


def claim(session: Session, token: str, now: datetime, until: datetime) -> str | None:
    """Takes the version that has been due for longest, for `token`; its id, None if nothing is."""
    version_id: str | None = session.scalar(_due(now).with_for_update(skip_locked=True))
    if version_id is None:
        return None
    session.execute(
        update(Version)
        .where(Version.id == version_id)
        .values(claim=token, claimed_until=until, attempts=Version.attempts + 1)
    )
    return version_id


def is_due(session: Session, now: datetime) -> bool:
    """Whether there is anything to claim."""
    return session.scalar(_due(now)) is not None


def read(session: Session, version_id: str, token: str) -> Claimed | None:
    """The version, while it is claimed so."""
    row = session.execute(
        select(
            Version.id,
            Version.claim,
            Version.state,
            Version.attempts,
            Version.number,
            Version.sha256,
            Version.document_id,
            Document.user_id,
            Document.name,
            Document.title,
        )
        .join(Document, Document.id == Version.document_id)
        .where(Version.id == version_id, Version.claim == token)
    ).one_or_none()
    return None if row is None else Claimed(**row._mapping)


def write(session: Session, version_id: str, token: str, **values: Any) -> bool:
    """Changes the version while it is claimed so; whether it is."""
    result = session.execute(
        update(Version).where(Version.id == version_id, Version.claim == token).values(**values)
    )
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def count_due(session: Session, now: datetime) -> int:
    """How many versions wait for a worker."""
    statement = select(func.count()).where(Version.due_at <= now, Version.claim.is_(None))
    return session.scalar(statement) or 0


def lock_document(session: Session, document_id: str) -> Document | None:
    statement = select(Document).where(Document.id == document_id)
    return session.scalar(
        statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    )


def delete_chunks(session: Session, version_id: str) -> None:
    session.execute(delete(Chunk).where(Chunk.version_id == version_id))


def has_later(session: Session, document_id: str, number: int) -> bool:
    """Whether a later version of the document is found already."""
    statement = select(Document.id).where(Document.id == document_id, Document.current > number)
    return session.scalar(statement) is not None


def set_current(session: Session, document_id: str, number: int, now: datetime) -> None:
    session.execute(
        update(Document).where(Document.id == document_id).values(current=number, updated_at=now)
    )


def end_earlier(
    session: Session, document_id: str, number: int, now: datetime
) -> dict[str, datetime]:
    """Ends the versions of a document before this one that are found, or on their way.

    Returns:
        From when on no worker writes points of each.
    """
    live = Version.state.in_([states.READY, *states.UNFINISHED])
    earlier = session.execute(
        select(Version.id, Version.claimed_until).where(
            Version.document_id == document_id, Version.number < number, live
        )
    ).all()
    ended = {row.id: max(now, row.claimed_until or now) for row in earlier}
    session.execute(
        update(Version)
        .where(Version.id.in_(ended))
        .values(
            state=states.REPLACED,
            claim=None,
            claimed_until=None,
            due_at=None,
            finished_at=now,
            chunks=0,
            embedded=0,
        )
    )
    return ended


def add_removals(session: Session, due: Mapping[str, datetime]) -> None:
    """Has the points of these versions deleted, each not before its time."""
    if due:
        session.execute(insert(Removal), [{"version_id": k, "due_at": v} for k, v in due.items()])


def list_removals(session: Session, now: datetime, limit: int) -> Sequence[Removal]:
    statement = select(Removal).where(Removal.due_at <= now).order_by(Removal.due_at).limit(limit)
    return session.scalars(statement).all()


def leaving(session: Session, version_ids: Collection[str]) -> set[str]:
    """Those of the versions whose points wait to be deleted."""
    statement = select(Removal.version_id).where(Removal.version_id.in_(version_ids))
    return set(session.scalars(statement))


def delete_removals(session: Session, ids: Sequence[int]) -> None:
    session.execute(delete(Removal).where(Removal.id.in_(ids)))


def count_chunks_of(session: Session, user_id: int, *, without: str | None = None) -> int:
    """How many chunks a user's versions have that are found, or will be.

    Args:
        session: the unit of work.
        user_id: whose.
        without: a document that isn't counted.
    """
    statement = (
        select(func.coalesce(func.sum(Version.chunks), 0))
        .join(Document, Document.id == Version.document_id)
        .where(
            Document.user_id == user_id,
            Document.id != (without or ""),
            Version.state.in_([states.READY, *states.UNFINISHED]),
        )
    )
    return int(session.scalar(statement) or 0)


def _due(now: datetime) -> Select[Any]:
    free = or_(Version.claimed_until.is_(None), Version.claimed_until < now)
    return select(Version.id).where(Version.due_at <= now, free).order_by(Version.due_at).limit(1)
