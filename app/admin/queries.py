from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from app.admin.models import AuditEvent
from app.admin.schemas import AuditFilter


def insert(session: Session, event: AuditEvent) -> None:
    session.add(event)
    session.flush()


def list_page(
    session: Session, chosen: AuditFilter, limit: int, before: int | None
) -> list[AuditEvent]:
    """Newest first."""
    statement = select(AuditEvent).where(*_conditions(chosen))
    if before is not None:
        statement = statement.where(AuditEvent.id < before)
    return list(session.scalars(statement.order_by(AuditEvent.id.desc()).limit(limit)))


def count_of_user(session: Session, user_id: int) -> int:
    """Events by or about a user."""
    about = and_(AuditEvent.target_type == "user", AuditEvent.target_id == str(user_id))
    statement = select(func.count()).where(or_(AuditEvent.actor_id == user_id, about))
    return session.scalar(statement) or 0


def _conditions(chosen: AuditFilter) -> list[ColumnElement[bool]]:
    equal = chosen.model_dump(exclude_none=True, exclude={"since", "until"})
    conditions = [getattr(AuditEvent, name) == value for name, value in equal.items()]
    if chosen.since is not None:
        conditions.append(AuditEvent.at >= chosen.since)
    if chosen.until is not None:
        conditions.append(AuditEvent.at < chosen.until)
    return conditions
