"""API keys from before PostgreSQL, which belong to an organization or to nobody, but to no user."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.auth import passwords
from app.auth.key_schemas import SCOPES
from app.auth.models import ApiKey
from app.db.session import Database
from app.users import service as users

DOMAIN = "api-key.invalid"


def adopt(database: Database) -> list[str]:
    """Gives each key without a user an account of its own, so that clients who hold it go on.

    The account is in the key's organization, what the key makes belongs to it, and nobody can log
    in to it. The key is good for all that keys can do, as it was. Safe to repeat.

    Returns:
        A sentence for each.
    """
    # Of a password that nobody has.
    unusable = passwords.NOBODY_ARGON2
    with database.begin() as session:
        keys = session.scalars(
            select(ApiKey).where(ApiKey.user_id.is_(None)).order_by(ApiKey.id).with_for_update()
        ).all()
        return [_adopt(session, key, unusable) for key in keys]


def _adopt(session: Session, key: ApiKey, password_hash: str) -> str:
    login = _free_login(session, key.id)
    user = users.create(
        session,
        login=login,
        password_hash=password_hash,
        name=key.name,
        organization_id=key.organization_id,
    )
    session.execute(
        update(ApiKey)
        .where(ApiKey.id == key.id)
        .values(user_id=user.id, scopes=" ".join(sorted(SCOPES)))
    )
    return f"the API key {key.prefix}... ({key.name}) now acts for an account of its own, {login}"


def _free_login(session: Session, key_id: int) -> str:
    login, number = f"key-{key_id}@{DOMAIN}", 0
    while users.get_by_login(session, login):
        number += 1
        login = f"key-{key_id}-{number}@{DOMAIN}"
    return login
