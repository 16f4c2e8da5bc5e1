"""Each statement names the owner, so that a stranger finds nothing."""

from datetime import datetime

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.diagrams.models import Diagram
from app.diagrams.schemas import DiagramSummary


def insert(session: Session, diagram: Diagram) -> Diagram:
    session.add(diagram)
    session.flush()
    return diagram


def get(session: Session, user_id: int, diagram_id: str) -> Diagram | None:
    return session.scalar(
        select(Diagram).where(
            Diagram.id == diagram_id, Diagram.user_id == user_id, Diagram.is_deleted.is_(False)
        )
    )


def list_page(
    session: Session, user_id: int, limit: int, before: tuple[datetime, str] | None
) -> list[DiagramSummary]:
    """Newest first; the big spec stays in the database."""
    columns = [getattr(Diagram, name) for name in DiagramSummary.model_fields]
    statement = select(*columns).where(Diagram.user_id == user_id, Diagram.is_deleted.is_(False))
    if before is not None:
        statement = statement.where(tuple_(Diagram.updated_at, Diagram.id) < before)
    statement = statement.order_by(Diagram.updated_at.desc(), Diagram.id.desc()).limit(limit)
    return [DiagramSummary.model_validate(row) for row in session.execute(statement)]


def mark_deleted(session: Session, user_id: int, diagram_id: str, at: datetime) -> bool:
    """Moves a diagram into the trash; whether there was one."""
    result = session.execute(
        update(Diagram)
        .where(Diagram.id == diagram_id, Diagram.user_id == user_id, Diagram.is_deleted.is_(False))
        .values(is_deleted=True, updated_at=at)
    )
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def delete_trash(session: Session, older_than: datetime, limit: int) -> int:
    """Deletes up to `limit` diagrams that went into the trash before; how many."""
    doomed = (
        select(Diagram.id)
        .where(Diagram.is_deleted.is_(True), Diagram.updated_at < older_than)
        .limit(limit)
    )
    result = session.execute(delete(Diagram).where(Diagram.id.in_(doomed)))
    assert isinstance(result, CursorResult)
    return result.rowcount
