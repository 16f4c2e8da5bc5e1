from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.auth.models import PasswordReset

# The two engines share the statement, but SQLAlchemy has one of its own for each.
INSERTS: dict[str, Callable[..., Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def put_reset(
    session: Session, user_id: int, token_hash: str, *, created_at: datetime, expires_at: datetime
) -> None:
    """Replaces the user's reset, also when somebody else does so at this moment."""
    values = {"token_hash": token_hash, "created_at": created_at, "expires_at": expires_at}
    insert = INSERTS[session.get_bind().dialect.name]
    statement = insert(PasswordReset).values(user_id=user_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))


def get_reset_user(session: Session, token_hash: str, now: datetime) -> int | None:
    return session.scalar(
        select(PasswordReset.user_id).where(
            PasswordReset.token_hash == token_hash, PasswordReset.expires_at > now
        )
    )


def take_reset(session: Session, token_hash: str, now: datetime) -> int | None:
    """Removes a reset that is still good and returns its user; of two callers one gets it."""
    return session.scalar(
        delete(PasswordReset)
        .where(PasswordReset.token_hash == token_hash, PasswordReset.expires_at > now)
        .returning(PasswordReset.user_id)
    )


def delete_reset(session: Session, user_id: int) -> None:
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))
