import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, RowMapping, cast, delete, func, literal_column, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db import inserts
from app.db.base import UtcDateTime
from app.usage.models import TokenUsage
from app.usage.schemas import Group, UsageEvent

REFERENCES = (TokenUsage.user_id, TokenUsage.organization_id, TokenUsage.api_key_id)
KEYS: Mapping[Group, Sequence[str]] = {
    "day": ["day"],
    "user": ["user_id"],
    "organization": ["organization_id"],
    "model": ["model_provider", "model_name"],
}
SUMS = (
    func.count().label("calls"),
    func.count().filter(TokenUsage.success.is_(False)).label("failures"),
    func.sum(TokenUsage.input_tokens).label("input_tokens"),
    func.sum(TokenUsage.output_tokens).label("output_tokens"),
    func.sum(TokenUsage.total_tokens).label("total_tokens"),
    func.coalesce(func.sum(TokenUsage.total_cost), 0.0).label("total_cost"),
)


def insert(session: Session, events: Mapping[str, UsageEvent]) -> set[str]:
    """Stores events by their ids; the ids of those that are new.

    An event whose user, organization or key was deleted meanwhile is stored without it.
    """
    # In one order everywhere: processes that store the same events wait for each other in turn.
    rows = [events[event_id].columns() for event_id in sorted(events)]
    for column in REFERENCES:
        wanted = {row[column.key] for row in rows} - {None}
        gone = wanted - _hold(session, column, wanted)
        for row in rows:
            row[column.key] = None if row[column.key] in gone else row[column.key]
    statement = (
        inserts.into(session, TokenUsage)
        .on_conflict_do_nothing(index_elements=[TokenUsage.event_id])
        .returning(TokenUsage.event_id)
    )
    return {event_id for event_id in session.scalars(statement, rows) if event_id}


def sums(
    session: Session,
    groups: Collection[Group],
    midnights: Sequence[datetime],
    limit: int,
    **owner: int,
) -> Sequence[RowMapping]:
    """Up to `limit` groups with their SUMS. A day is its number within the period, from 1.

    Args:
        midnights: when each day begins, and the end of the last one.
        owner: the user_id or organization_id whose usage it is; everybody's without.
    """
    names = [name for group in groups for name in KEYS[group]]
    day = func.width_bucket(TokenUsage.created_at, _bounds(session, midnights)).label("day")
    columns = [day if name == "day" else getattr(TokenUsage, name) for name in names]
    # By name, so that the bucket of a row is computed once.
    keys: list[ColumnElement[Any]] = [literal_column(name) for name in names]
    statement = (
        select(*columns, *SUMS)
        .where(TokenUsage.created_at >= midnights[0], TokenUsage.created_at < midnights[-1])
        .where(*[getattr(TokenUsage, column) == value for column, value in owner.items()])
        .group_by(*keys)
        .order_by(*[key.nulls_last() for key in keys])
        .limit(limit)
    )
    return session.execute(statement).mappings().all()


def count_older(session: Session, than: datetime) -> int:
    statement = select(func.count()).select_from(TokenUsage).where(TokenUsage.created_at < than)
    return session.scalar(statement) or 0


def count_of(session: Session, user_id: int) -> int:
    statement = select(func.count()).where(TokenUsage.user_id == user_id)
    return session.scalar(statement) or 0


def delete_older(session: Session, than: datetime, limit: int) -> int:
    """Deletes up to `limit` records; how many."""
    doomed = select(TokenUsage.id).where(TokenUsage.created_at < than).limit(limit)
    result = session.execute(delete(TokenUsage).where(TokenUsage.id.in_(doomed)))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _hold(
    session: Session, column: InstrumentedAttribute[int | None], ids: Collection[int]
) -> set[int]:
    """Those of the ids that the foreign key may name. They stay until the transaction ends."""
    if not ids:
        return set()
    (key,) = column.property.columns[0].foreign_keys
    target = key.column
    # SQLite has no such lock and needs none: there is one writer.
    statement = select(target).where(target.in_(ids)).order_by(target)
    return set(session.scalars(statement.with_for_update(read=True, key_share=True)))


def _bounds(session: Session, moments: Sequence[datetime]) -> Any:
    """Ascending moments as the second argument of `width_bucket`."""
    if not _is_sqlite(session):
        return cast(moments, ARRAY(UtcDateTime))
    # As the column holds them, without the fraction: so they sort before any fraction.
    return json.dumps([moment.strftime("%Y-%m-%d %H:%M:%S") for moment in moments])


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
