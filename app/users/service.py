from collections.abc import Collection

from sqlalchemy.orm import Session

from app import clock
from app.cache import keys
from app.cache.entries import Cache
from app.db.session import Database
from app.users import queries
from app.users.errors import LoginTaken
from app.users.models import User
from app.users.schemas import Account, Profile, Role


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


def has_bcrypt(session: Session) -> bool:
    """Whether anybody's password hash is one of bcrypt."""
    return queries.exists_bcrypt(session)


def upgrade_hash(session: Session, user_id: int, old: str, new: str) -> None:
    """Puts another hash of the same password in place of an old one, if it is still there."""
    queries.replace_hash(session, user_id, old, new)


def set_password(
    session: Session, user_id: int, password_hash: str, *, replacing: str | None = None
) -> int | None:
    """Sets a new password, which ends every session of the user.

    Args:
        session: the unit of work.
        user_id: whose it is.
        password_hash: the new one's.
        replacing: the hash that must still be there; None for any.

    Returns:
        The epoch of sessions from now on; None where nothing was changed.
    """
    return queries.set_password(session, user_id, password_hash, replacing)


def change_profile(session: Session, user_id: int, profile: Profile) -> User | None:
    """Sets what was given, null as well; the rest stays. None where there is no such user."""
    return queries.set_profile(session, user_id, profile.model_dump(exclude_unset=True))
