from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.users.models import BCRYPT, User


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


def insert(session: Session, user: User) -> User:
    session.add(user)
    session.flush()
    return user


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
