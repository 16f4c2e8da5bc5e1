from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.auth.models import PasswordReset
from app.db import inserts


def put_reset(
    session: Session, user_id: int, token_hash: str, *, created_at: datetime, expires_at: datetime
) -> None:
    """Replaces the user's reset, also when somebody else does so at this moment."""
    values = {"token_hash": token_hash, "created_at": created_at, "expires_at": expires_at}
    statement = inserts.into(session, PasswordReset).values(user_id=user_id, **values)
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
