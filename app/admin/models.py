from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, JsonObject, RowId, UtcDateTime


class AuditEvent(Base):
    """Something that an administrator or manager did, written in the transaction that did it."""

    __tablename__ = "audit_events"
    __table_args__ = (
        # What one person did, newest first; also finds the rows that a deleted actor leaves.
        Index("ix_audit_events_actor_id_id", "actor_id", "id"),
        # What was done to one user, organization or key, newest first.
        Index("ix_audit_events_target", "target_type", "target_id", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    # The trail outlives its people: the login name as it was then stays beside the reference.
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    actor: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(50))
    # No foreign key: what was deleted is named as well.
    target_type: Mapped[str] = mapped_column(String(30))
    target_id: Mapped[str] = mapped_column(String(36))
    details: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    # The longest is an IPv6 address with a zone.
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(64))
