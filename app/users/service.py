from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app import clock
from app.cache import keys
from app.cache.entries import Cache
from app.db.session import Database
from app.users import queries
from app.users.errors import (
    LastAdministrator,
    LoginTaken,
    ManagerNeedsOrganization,
    UserNotFound,
)
from app.users.models import User
from app.users.schemas import Account, Profile, Role, UserFilter, UserOut, UserRow


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
    made = queries.insert(
        session,
        login=login,
        password_hash=password_hash,
        name=name,
        avatar=avatar,
        organization_id=organization_id,
        role=role,
        created_at=clock.now(),
    )
    if made is None:
        raise LoginTaken
    return made


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


def require(session: Session, user_id: int) -> UserRow:
    """Raises UserNotFound."""
    return _row(queries.get(session, user_id))


def require_for_update(session: Session, user_id: int) -> UserRow:
    """The user as of now, whom nobody else changes until the end of the transaction.

    Raises:
        UserNotFound.
    """
    return _row(queries.get_for_update(session, user_id))


def list_page(
    session: Session, chosen: UserFilter, *, limit: int, before: int | None
) -> list[UserRow]:
    """Users newest first, from below an id."""
    return queries.list_page(session, chosen, limit, before)


def count_members(session: Session, organization_ids: Sequence[int]) -> dict[int, int]:
    """How many members each of these organizations has."""
    return dict.fromkeys(organization_ids, 0) | queries.count_members(session, organization_ids)


def change(session: Session, user_id: int, values: dict[str, Any]) -> tuple[UserOut, UserOut]:
    """Sets some of role, organization_id and name; how the user was before, and is now.

    Raises:
        UserNotFound, LastAdministrator, ManagerNeedsOrganization.
    """
    if values.get("role", "admin") != "admin":
        _require_other_admin(session, user_id)
    user = queries.get_for_update(session, user_id)
    if user is None:
        raise UserNotFound
    before = UserOut.model_validate(user)
    for field, value in values.items():
        setattr(user, field, value)
    if user.role == "manager" and user.organization_id is None:
        raise ManagerNeedsOrganization
    session.flush()
    return before, UserOut.model_validate(user)


def end_sessions(session: Session, user_id: int) -> None:
    """Ends all sessions of a user at the end of the transaction."""
    queries.end_sessions(session, user_id)


def require_deletable(session: Session, user_id: int) -> UserRow:
    """The user as of now, whom nobody else changes, and for whom nobody else adds anything, until
    the end of the transaction.

    Raises:
        UserNotFound, LastAdministrator.
    """
    _require_other_admin(session, user_id)
    return _row(queries.get_for_delete(session, user_id))


def delete(session: Session, user_id: int) -> None:
    """Deletes a user for whom `require_deletable` was asked in this transaction."""
    queries.delete(session, user_id)


def _require_other_admin(session: Session, user_id: int) -> None:
    # Before any other lock on a user: who waits here holds nothing that others wait for.
    if queries.lock_admins(session) == [user_id]:
        raise LastAdministrator


def _row(user: User | None) -> UserRow:
    if user is None:
        raise UserNotFound
    return UserRow.model_validate(user)
