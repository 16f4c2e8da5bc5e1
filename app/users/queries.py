from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.users.models import User


def get(session: Session, user_id: int) -> User | None:
    return session.get(User, user_id)


def get_by_login(session: Session, login: str) -> User | None:
    return session.scalar(select(User).where(User.login == login))


def list_logins(session: Session, ids: Collection[int]) -> dict[int, str]:
    rows = session.execute(select(User.id, User.login).where(User.id.in_(ids)))
    return {row.id: row.login for row in rows}


def insert(session: Session, user: User) -> User:
    session.add(user)
    session.flush()
    return user


def set_last_login(session: Session, user_id: int, at: datetime) -> None:
    session.execute(update(User).where(User.id == user_id).values(last_login=at))
