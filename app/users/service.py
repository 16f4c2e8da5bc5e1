from collections.abc import Collection

from sqlalchemy.orm import Session

from app import clock
from app.users import queries
from app.users.errors import LoginTaken
from app.users.models import User
from app.users.schemas import Role


def get(session: Session, user_id: int) -> User | None:
    return queries.get(session, user_id)


def get_by_login(session: Session, login: str) -> User | None:
    return queries.get_by_login(session, login)


def logins(session: Session, ids: Collection[int]) -> dict[int, str]:
    """The login names of those of the users that there are."""
    return queries.list_logins(session, ids)


def create(
    session: Session,
    *,
    login: str,
    password_hash: str,
    name: str | None = None,
    avatar: str | None = None,
    organization_id: int | None = None,
    role: Role = "user",
) -> User:
    """Makes a user. `login` is normalized already.

    Raises:
        LoginTaken: there is one with this login name.
    """
    if queries.get_by_login(session, login) is not None:
        raise LoginTaken
    return queries.insert(
        session,
        User(
            login=login,
            password_hash=password_hash,
            name=name,
            avatar=avatar,
            organization_id=organization_id,
            role=role,
            created_at=clock.now(),
        ),
    )


def note_login(session: Session, user: User) -> None:
    queries.set_last_login(session, user.id, clock.now())
