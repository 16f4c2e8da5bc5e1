from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, JsonObject, UtcDateTime


class Diagram(Base):
    __tablename__ = "diagrams"
    __table_args__ = (
        # The list of one's diagrams, newest first, and its keyset paging.
        Index("ix_diagrams_user_id_updated_at_id", "user_id", "updated_at", "id"),
        # The purge looks only at the trash.
        Index(
            "ix_diagrams_trash",
            "updated_at",
            postgresql_where=text("is_deleted"),
            sqlite_where=text("is_deleted"),
        ),
    )

    # UUID text: SQLite files from before PostgreSQL hold it so, and clients keep such links.
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(String(200))
    diagram_type: Mapped[str] = mapped_column(String(50))
    language: Mapped[str] = mapped_column(String(10), default="zh")
    spec: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    is_deleted: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
