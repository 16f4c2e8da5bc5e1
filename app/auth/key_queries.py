from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.auth.models import ApiKey


def get_by_hash(session: Session, key_hash: str) -> ApiKey | None:
    return session.scalar(select(ApiKey).where(ApiKey.key_hash == key_hash))


def get(session: Session, user_id: int, key_id: int) -> ApiKey | None:
    return session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id))


def list_owned(session: Session, user_id: int) -> list[ApiKey]:
    """Newest first."""
    return list(
        session.scalars(select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.id.desc()))
    )


def count_owned(session: Session, user_id: int) -> int:
    return session.scalar(select(func.count()).where(ApiKey.user_id == user_id)) or 0


def insert(session: Session, key: ApiKey) -> ApiKey:
    session.add(key)
    session.flush()
    return key


def change(session: Session, user_id: int, key_id: int, values: dict[str, Any]) -> None:
    # In the database, so that a call that is counted at the same time isn't lost.
    session.execute(
        update(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id).values(values)
    )


def remove(session: Session, user_id: int, key_id: int) -> bool:
    result = session.execute(delete(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id))
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def count_call(session: Session, key_id: int, at: datetime) -> bool:
    """Counts a call on the key's quota; False when nothing is left of it."""
    result = session.execute(
        update(ApiKey)
        .where(
            ApiKey.id == key_id,
            or_(ApiKey.quota_limit.is_(None), ApiKey.usage_count < ApiKey.quota_limit),
        )
        .values(usage_count=ApiKey.usage_count + 1, last_used_at=at)
    )
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def note_use(session: Session, key_id: int, at: datetime, unless_since: datetime) -> None:
    session.execute(
        update(ApiKey)
        .where(
            ApiKey.id == key_id,
            or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < unless_since),
        )
        .values(last_used_at=at)
    )
