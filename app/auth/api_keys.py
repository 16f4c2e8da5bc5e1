"""Keys with which programs act for a user."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from app import clock
from app.auth import key_queries as queries
from app.auth.errors import (
    InvalidKey,
    KeyLimitReached,
    KeyNotFound,
    KeyQuotaReached,
    KeyWithoutUser,
    ScopeMissing,
)
from app.auth.key_schemas import KeyChange, KeyIn, KeyOut, NewKey, Scope
from app.auth.models import ApiKey
from app.db.session import Database
from app.settings import Settings
from app.users import service as users

KEY_BYTES = 32
SHOWN = 10
# A key in use isn't written at every call.
LAST_USE_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True)
class Presented:
    """A good key that came with a request."""

    id: int
    user_id: int
    has_quota: bool
    notes_use: bool


def create(session: Session, settings: Settings, user_id: int, wanted: KeyIn) -> NewKey:
    """Makes a key; what is returned is the only place where it stands in clear.

    Raises:
        KeyLimitReached: the user has as many as the settings allow.
    """
    users.lock(session, user_id)
    if queries.count_owned(session, user_id) >= settings.keys_per_user:
        raise KeyLimitReached(f"You may have {settings.keys_per_user} keys; delete one first.")
    key = f"mg_{secrets.token_urlsafe(KEY_BYTES)}"
    made = queries.insert(
        session,
        ApiKey(
            key_hash=hash_of(key),
            prefix=key[:SHOWN],
            user_id=user_id,
            name=wanted.name,
            description=wanted.description,
            scopes=_joined(wanted.scopes),
            quota_limit=wanted.quota_limit,
            usage_count=0,
            is_active=True,
            created_at=clock.now(),
            expires_at=wanted.expires_at,
        ),
    )
    return NewKey(key=key, **_shown(made).model_dump())


def list_(session: Session, user_id: int) -> list[KeyOut]:
    """One's keys, newest first; all of them, because they are few."""
    return [_shown(key) for key in queries.list_owned(session, user_id)]


def change(session: Session, user_id: int, key_id: int, wanted: KeyChange) -> KeyOut:
    """Raises KeyNotFound, also for somebody else's."""
    values = wanted.model_dump(exclude_unset=True)
    if "scopes" in values:
        values["scopes"] = _joined(values["scopes"])
    if values:
        queries.change(session, user_id, key_id, values)
    key = queries.get(session, user_id, key_id)
    if key is None:
        raise KeyNotFound
    return _shown(key)


def delete(session: Session, user_id: int, key_id: int) -> None:
    """Raises KeyNotFound, also for somebody else's."""
    if not queries.remove(session, user_id, key_id):
        raise KeyNotFound


def check(database: Database, key: str, scope: Scope | None) -> Presented:
    """Finds out whose key this is.

    Args:
        database: the service's.
        key: as it came with the request.
        scope: what it must be good for; None for what no key is good for.

    Raises:
        InvalidKey: unknown, switched off or expired.
        ScopeMissing: not good for this.
        KeyWithoutUser: a key from before PostgreSQL, which belongs to nobody who has diagrams.
    """
    now = clock.now()
    with database.read() as session:
        found = queries.get_by_hash(session, hash_of(key))
    if found is None or not found.is_active or (found.expires_at and found.expires_at <= now):
        raise InvalidKey
    if scope is None or scope not in found.scopes.split():
        raise ScopeMissing(f"This key isn't good for this; it needs {scope or 'a login instead'}.")
    if found.user_id is None:
        raise KeyWithoutUser
    last = found.last_used_at
    return Presented(
        id=found.id,
        user_id=found.user_id,
        has_quota=found.quota_limit is not None,
        notes_use=last is None or last < now - LAST_USE_PRECISION,
    )


def count(database: Database, presented: Presented) -> None:
    """Counts the call of a key that has a quota, exactly; notes when it was used, to the minute.

    Raises:
        KeyQuotaReached: nothing is left of it.
    """
    now = clock.now()
    if presented.has_quota:
        with database.begin() as session:
            if not queries.count_call(session, presented.id, now):
                raise KeyQuotaReached
    elif presented.notes_use:
        with database.begin() as session:
            queries.note_use(session, presented.id, now, now - LAST_USE_PRECISION)


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def _joined(scopes: list[Scope]) -> str:
    return " ".join(sorted(set(scopes)))


def _shown(key: ApiKey) -> KeyOut:
    values = {name: getattr(key, name) for name in KeyOut.model_fields}
    return KeyOut.model_validate(values | {"scopes": key.scopes.split()})
