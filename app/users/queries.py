from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.users.models import User


def get(session: Session, user_id: int) -> User | None:
    return session.get(User, user_id)


def get_by_login(session: Session, login: str) -> User | None:
    return session.scalar(select(User).where(User.login == login))


def lock(session: Session, user_id: int) -> bool:
    """Lets nobody else who locks this user go on before the end of the transaction."""
    # Without a key share: rows that refer to the user may come in meanwhile.
    statement = select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    return session.scalar(statement) is not None


def insert(session: Session, user: User) -> User:
    session.add(user)
    session.flush()
    return user


def set_last_login(session: Session, user_id: int, at: datetime) -> None:
    session.execute(update(User).where(User.id == user_id).values(last_login=at))
