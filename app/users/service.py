from sqlalchemy.orm import Session

from app import clock
from app.cache import keys
from app.cache.entries import Cache
from app.db.session import Database
from app.users import queries
from app.users.errors import LoginTaken
from app.users.models import User
from app.users.schemas import Account, Role


def get(session: Session, user_id: int) -> User | None:
    return queries.get(session, user_id)


def find(database: Database, cache: Cache, user_id: int) -> Account | None:
    """The account, from the cache where it has it."""

    def load() -> Account | None:
        with database.read() as session:
            user = queries.get(session, user_id)
            return Account.model_validate(user) if user else None

    return cache.read_as(keys.user(user_id), keys.USER_TTL, Account, load)


def get_by_login(session: Session, login: str) -> User | None:
    return queries.get_by_login(session, login)


def lock(session: Session, user_id: int) -> None:
    """Makes those who count what a user has wait for each other; until the transaction ends."""
    queries.lock(session, user_id)


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
