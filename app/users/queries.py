from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete as delete_from
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.db import inserts
from app.users.models import BCRYPT, User
from app.users.schemas import UserFilter, UserRow


def get(session: Session, user_id: int) -> User | None:
    return session.get(User, user_id)


def get_by_login(session: Session, login: str) -> User | None:
    return session.scalar(select(User).where(User.login == login))


def exists_bcrypt(session: Session) -> bool:
    # In the words of the index, which holds just these.
    return session.scalar(select(User.id).where(BCRYPT).limit(1)) is not None


def lock(session: Session, user_id: int) -> bool:
    """Lets nobody else who locks this user go on before the end of the transaction."""
    # Without a key share: rows that refer to the user may come in meanwhile.
    statement = select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    return session.scalar(statement) is not None


def list_logins(session: Session, ids: Collection[int]) -> dict[int, str]:
    rows = session.execute(select(User.id, User.login).where(User.id.in_(ids)))
    return {row.id: row.login for row in rows}


def get_for_update(session: Session, user_id: int) -> User | None:
    """As the user is now; nobody else changes the user until the end of the transaction."""
    # Others may refer to the user meanwhile, as an event in the audit trail does to its actor.
    lock = {"key_share": True}
    return session.get(User, user_id, with_for_update=lock, populate_existing=True)


def get_for_delete(session: Session, user_id: int) -> User | None:
    """As the user is now; nobody else adds anything for the user either."""
    return session.get(User, user_id, with_for_update=True, populate_existing=True)


def lock_admins(session: Session) -> Sequence[int]:
    """The ids of all administrators, who stay what they are until the end of the transaction.

    All lock them in one order, so that nobody waits in a circle.
    """
    statement = select(User.id).where(User.role == "admin").order_by(User.id)
    return session.scalars(statement.with_for_update(key_share=True)).all()


def list_page(
    session: Session, chosen: UserFilter, limit: int, before: int | None
) -> list[UserRow]:
    """Newest first."""
    columns = [getattr(User, name) for name in UserRow.model_fields]
    statement = select(*columns).order_by(User.id.desc()).limit(limit)
    if chosen.search:
        found = (one.icontains(chosen.search, autoescape=True) for one in (User.login, User.name))
        statement = statement.where(or_(*found))
    if chosen.organization_id is not None:
        statement = statement.where(User.organization_id == chosen.organization_id)
    if chosen.role is not None:
        statement = statement.where(User.role == chosen.role)
    if before is not None:
        statement = statement.where(User.id < before)
    return [UserRow.model_validate(row) for row in session.execute(statement)]


def count_members(session: Session, organization_ids: Sequence[int]) -> dict[int, int]:
    """Only of those organizations that have members."""
    statement = (
        select(User.organization_id, func.count())
        .where(User.organization_id.in_(organization_ids))
        .group_by(User.organization_id)
    )
    return {row[0]: row[1] for row in session.execute(statement) if row[0] is not None}


def insert(session: Session, **values: Any) -> User | None:
    """None where somebody has the login name, also when they register at this moment."""
    statement = inserts.into(session, User).values(**values)
    unless_taken = statement.on_conflict_do_nothing(index_elements=[User.login])
    made: User | None = session.scalar(unless_taken.returning(User))
    return made


def set_last_login(session: Session, user_id: int, at: datetime) -> None:
    session.execute(update(User).where(User.id == user_id).values(last_login=at))


def set_profile(session: Session, user_id: int, changes: Mapping[str, str | None]) -> User | None:
    """Sets the given ones of name and avatar."""
    if changes:
        session.execute(update(User).where(User.id == user_id).values(**changes))
    return session.get(User, user_id)


def replace_hash(session: Session, user_id: int, old: str, new: str) -> None:
    """Only where the old one is still there: a password that was changed meanwhile stays."""
    session.execute(
        update(User).where(User.id == user_id, User.password_hash == old).values(password_hash=new)
    )


def set_password(session: Session, user_id: int, new: str, old: str | None) -> int | None:
    """Returns the new session epoch; None where there is no such user, or not with the old hash."""
    statement = update(User).where(User.id == user_id)
    if old is not None:
        statement = statement.where(User.password_hash == old)
    return session.scalar(
        statement.values(password_hash=new, session_epoch=User.session_epoch + 1).returning(
            User.session_epoch
        )
    )


def end_sessions(session: Session, user_id: int) -> None:
    epoch = User.session_epoch + 1
    session.execute(update(User).where(User.id == user_id).values(session_epoch=epoch))


def delete(session: Session, user_id: int) -> None:
    session.execute(delete_from(User).where(User.id == user_id))
