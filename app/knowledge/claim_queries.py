"""What a worker asks and says about the versions that it takes forward.

Whoever writes something for a version names the claim, so that one who has lost it writes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.db import inserts
from app.knowledge import states
from app.knowledge.models import Chunk, Document, Removal, Turn, Version


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
    """Takes a version for `token`: of the users who wait for one, that of whoever has waited
    longest since their last turn, and of theirs the one that has been due for longest.

    Returns:
        Its id; None if nothing is due.
    """
    found = session.execute(
        select(Version.id, Document.user_id)
        .join(Document, Document.id == Version.document_id)
        .outerjoin(Turn, Turn.user_id == Document.user_id)
        .where(_is_due(now))
        .order_by(Turn.taken_at.asc().nulls_first(), Version.due_at)
        .limit(1)
        .with_for_update(of=Version, skip_locked=True)
    ).one_or_none()
    if found is None:
        return None
    session.execute(
        update(Version)
        .where(Version.id == found.id)
        .values(claim=token, claimed_until=until, attempts=Version.attempts + 1)
    )
    turn = inserts.into(session, Turn).values(user_id=found.user_id, taken_at=now)
    session.execute(
        turn.on_conflict_do_update(index_elements=[Turn.user_id], set_={"taken_at": now})
    )
    version_id: str = found.id
    return version_id


def is_due(session: Session, now: datetime) -> bool:
    """Whether there is anything to claim."""
    return session.scalar(select(Version.id).where(_is_due(now)).limit(1)) is not None


def delete_turn(session: Session, user_id: int) -> None:
    session.execute(delete(Turn).where(Turn.user_id == user_id))


def delete_turns(session: Session, before: datetime) -> int:
    """Those of users of whom nothing was taken since; they are the first then. How many."""
    result = session.execute(delete(Turn).where(Turn.taken_at < before))
    assert isinstance(result, CursorResult)
    return result.rowcount


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


def count_states(session: Session) -> dict[str, int]:
    """How many versions are in each state, of all users."""
    counted = session.execute(select(Version.state, func.count()).group_by(Version.state))
    return dict(iter(counted))


def first_due(session: Session, now: datetime) -> datetime | None:
    """Since when the version that waits for longest could have been taken."""
    statement = select(func.min(Version.due_at)).where(Version.due_at <= now)
    return session.scalar(statement.where(Version.claim.is_(None)))


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
    session: Session,
    document_id: str,
    number: int,
    now: datetime,
    of: Collection[str] = (states.READY, *states.UNFINISHED),
) -> None:
    """Ends the versions of a document before this one: those that are found, or on their way.
    Their chunks go, and their points once no worker writes any.

    Args:
        session: the unit of work.
        document_id: whose.
        number: of the version that takes their place.
        now: when.
        of: the states in which they are ended.
    """
    live = Version.state.in_(of)
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
    for one in ended:
        delete_chunks(session, one)
    add_removals(session, ended)


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


def count_chunks_of(session: Session, user_id: int) -> int:
    """How many chunks a user's versions have that are found, or will be."""
    return _count_chunks(session, user_id)


def count_chunks_beside(session: Session, version: Claimed) -> int:
    """How many chunks the owner's other versions have, or will have; but for the one that is found
    until this one takes its place."""
    replaced = and_(Version.document_id == version.document_id, Version.state == states.READY)
    return _count_chunks(session, version.user_id, Version.id != version.id, not_(replaced))


def _count_chunks(session: Session, user_id: int, *which: ColumnElement[bool]) -> int:
    statement = (
        select(func.coalesce(func.sum(Version.chunks), 0))
        .join(Document, Document.id == Version.document_id)
        .where(
            Document.user_id == user_id,
            Version.state.in_([states.READY, *states.UNFINISHED]),
            *which,
        )
    )
    return int(session.scalar(statement) or 0)


def _is_due(now: datetime) -> ColumnElement[bool]:
    free = or_(Version.claimed_until.is_(None), Version.claimed_until < now)
    return and_(Version.due_at <= now, free)
