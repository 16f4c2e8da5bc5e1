import hashlib
import secrets
from datetime import datetime, timedelta

import structlog
from redis import Redis
from sqlalchemy.orm import Session

from app import clock
from app.auth import attempts, captcha, key_queries, passwords, queries, sessions
from app.auth.errors import (
    InvalidResetToken,
    LoginLocked,
    NotLoggedIn,
    PasswordIsLogin,
    SessionNotFound,
    WrongCredentials,
    WrongPassword,
)
from app.auth.schemas import (
    Answer,
    Credentials,
    PasswordChange,
    PasswordResetIn,
    Registration,
    SessionOut,
    is_login,
)
from app.auth.sessions import Device
from app.cache import keys
from app.cache.client import RedisUnavailable
from app.cache.entries import Cache
from app.db.session import Database
from app.organizations import service as organizations
from app.settings import Settings
from app.users import service as users
from app.users.schemas import Profile, UserOut

log = structlog.get_logger(__name__)

RESET_TOKEN_BYTES = 32


def register(database: Database, registration: Registration) -> UserOut:
    """Makes a member of the organization that the invitation code belongs to.

    Raises:
        UnknownInvitation, OrganizationClosed, LoginTaken.
    """
    with database.read() as session:
        organizations.require_by_invitation(session, registration.invitation_code)
    password_hash = passwords.make_hash(registration.password.get_secret_value())
    with database.begin() as session:
        # Again, because the code may have been changed meanwhile.
        organization = organizations.require_by_invitation(session, registration.invitation_code)
        user = users.create(
            session,
            login=registration.login,
            password_hash=password_hash,
            name=registration.name,
            avatar=registration.avatar,
            organization_id=organization.id,
        )
        return UserOut.model_validate(user)


def log_in(
    database: Database,
    redis: Redis,
    settings: Settings,
    credentials: Credentials,
    *,
    device: Device | None = None,
    old_token: str | None = None,
) -> tuple[UserOut, str]:
    """Checks the credentials and opens a session.

    Args:
        database: the service's.
        redis: the service's.
        settings: the service's.
        credentials: what was typed.
        device: where it was typed.
        old_token: the session that the device had until now, which ends.

    Returns:
        The user, and the new session's token.

    Raises:
        WrongCredentials, LoginLocked, InvalidCaptcha, OrganizationClosed, RedisUnavailable.
    """
    password = credentials.password.get_secret_value()
    with database.read() as session:
        found = users.get_by_login(session, credentials.login)
    _admit(redis, settings, credentials.login, credentials)
    known_hash = found.password_hash if found else None
    if not _try(database, redis, credentials.login, password, known_hash) or found is None:
        raise WrongCredentials
    # Also on a disk that is nearly full: who wants to free it must get in.
    with database.begin(frees_space=True) as session:
        user = users.get(session, found.id)
        if user is None or user.session_epoch != found.session_epoch:
            # The password was changed while this one was checked.
            raise WrongCredentials
        # Who closed the own organization must be able to open it again.
        if user.role != "admin":
            organizations.require_open(session, user.organization_id)
        users.note_login(session, user)
        shown = UserOut.model_validate(user)
    _renew_hash(database, found.id, password, found.password_hash)
    if old_token:
        sessions.revoke(redis, old_token)
    epoch = found.session_epoch
    return shown, sessions.create(redis, settings, shown.id, epoch=epoch, device=device)


def list_sessions(
    database: Database, redis: Redis, settings: Settings, user_id: int, token: str | None
) -> list[SessionOut]:
    with database.read() as session:
        user = users.get(session, user_id)
    if user is None:
        raise NotLoggedIn
    return sessions.list_all(redis, settings, user_id, user.session_epoch, token)


def revoke_session(redis: Redis, user_id: int, session_id: str) -> None:
    """Raises SessionNotFound where it isn't the user's."""
    if not sessions.revoke_one(redis, user_id, session_id):
        raise SessionNotFound


def change_profile(database: Database, cache: Cache, user_id: int, profile: Profile) -> UserOut:
    with cache.changing(keys.user(user_id)), database.begin() as session:
        user = users.change_profile(session, user_id, profile)
        if user is None:
            raise NotLoggedIn
        return UserOut.model_validate(user)


def change_password(
    database: Database,
    redis: Redis,
    cache: Cache,
    settings: Settings,
    user_id: int,
    change: PasswordChange,
    *,
    device: Device | None = None,
    token: str | None = None,
) -> str | None:
    """Sets a new password, which ends all sessions of the user.

    Returns:
        The token of a session that replaces the one of `token`; None where that was none of the
        user's, or Redis was lost once the password was changed.

    Raises:
        WrongPassword, PasswordIsLogin, LoginLocked, InvalidCaptcha, RedisUnavailable.
    """
    with database.read() as session:
        user = users.get(session, user_id)
    if user is None:
        raise NotLoggedIn
    current = sessions.find(redis, settings, token) if token else None
    new_hash = _new_hash(database, redis, settings, user.login, user.password_hash, change)
    with cache.changing(keys.user(user_id)), database.begin() as session:
        epoch = users.set_password(session, user_id, new_hash, replacing=user.password_hash)
        if epoch is None:
            # Somebody else changed it meanwhile.
            raise WrongPassword
        queries.delete_reset(session, user_id)
    # By their epoch they are over already; this only clears them away.
    try:
        sessions.revoke_all(redis, user_id)
        if current is not None and current.user_id == user_id:
            return sessions.create(redis, settings, user_id, epoch=epoch, device=device)
    except RedisUnavailable as error:
        log.warning("a changed password logged everybody out", reason=repr(error.__cause__))
    return None


def issue_reset(session: Session, user_id: int, hours: int) -> str:
    """A token with which the user sets a new password once; those from before are void."""
    token = secrets.token_urlsafe(RESET_TOKEN_BYTES)
    now = clock.now()
    queries.put_reset(
        session,
        user_id,
        _reset_hash(token),
        created_at=now,
        expires_at=now + timedelta(hours=hours),
    )
    return token


def reset_password(database: Database, redis: Redis, cache: Cache, reset: PasswordResetIn) -> None:
    """Sets the password of the token's user, which ends all sessions and the lock of the name.

    It needs no Redis: where that is lost, the lock and what the sessions left stay there.

    Raises:
        InvalidResetToken, PasswordIsLogin.
    """
    token_hash = _reset_hash(reset.token)
    with database.read() as session:
        user_id = queries.get_reset_user(session, token_hash, clock.now())
        user = users.get(session, user_id) if user_id is not None else None
    if user is None:
        raise InvalidResetToken
    if is_login(reset.new_password, user.login):
        raise PasswordIsLogin
    password_hash = passwords.make_hash(reset.new_password.get_secret_value())
    with cache.changing(keys.user(user.id)), database.begin() as session:
        if queries.take_reset(session, token_hash, clock.now()) is None:
            raise InvalidResetToken
        users.set_password(session, user.id, password_hash)
    try:
        sessions.revoke_all(redis, user.id)
        attempts.unlock(redis, user.login)
    except RedisUnavailable as error:
        log.warning("a reset password left a lock", reason=repr(error.__cause__))


def withdraw_reset(session: Session, user_id: int) -> None:
    """A token that was issued and not yet used is void."""
    queries.delete_reset(session, user_id)


def unlock(redis: Redis, login: str) -> None:
    """Passwords may be tried for this login name again. Raises RedisUnavailable."""
    attempts.unlock(redis, login)


def locked_until(redis: Redis, logins: list[str]) -> dict[str, datetime]:
    """When the lock of each name that is locked ends. Raises RedisUnavailable."""
    return attempts.locked_until(redis, logins)


def count_keys_of(session: Session, user_id: int) -> int:
    return key_queries.count_owned(session, user_id)


def _new_hash(
    database: Database,
    redis: Redis,
    settings: Settings,
    login: str,
    password_hash: str,
    change: PasswordChange,
) -> str:
    """The hash of the new password, once the current one was right."""
    if is_login(change.new_password, login):
        raise PasswordIsLogin
    _admit(redis, settings, login, change)
    current = change.current_password.get_secret_value()
    if not _try(database, redis, login, current, password_hash):
        raise WrongPassword
    return passwords.make_hash(change.new_password.get_secret_value())


def _admit(redis: Redis, settings: Settings, login: str, answer: Answer) -> None:
    """Raises LoginLocked while the name is locked, unless a captcha was solved."""
    try:
        attempts.admit(redis, login)
    except LoginLocked:
        if not (settings.captcha_enabled and answer.captcha_id):
            raise
        captcha.require(redis, settings, answer.captcha_id, answer.captcha_answer)


def _try(
    database: Database, redis: Redis, login: str, password: str, password_hash: str | None
) -> bool:
    """Whether the password is right, which ends the lock; a wrong one is counted."""
    if password_hash is not None and passwords.matches(password, password_hash):
        attempts.unlock(redis, login)
        return True
    attempts.note_failure(redis, login)
    with database.read() as session:
        with_bcrypt = users.has_bcrypt(session)
    passwords.spend_the_rest(password, password_hash, with_bcrypt=with_bcrypt)
    return False


def _renew_hash(database: Database, user_id: int, password: str, password_hash: str) -> None:
    if not passwords.is_outdated(password_hash):
        return
    new_hash = passwords.make_hash(password)
    with database.begin() as session:
        users.upgrade_hash(session, user_id, password_hash, new_hash)


def _reset_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
