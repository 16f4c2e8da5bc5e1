from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, JsonObject, RowId, UtcDateTime
from app.db.terms import Terms

IN_TRASH = text("is_deleted")


class Diagram(Base):
    """A diagram as it is now."""

    __tablename__ = "diagrams"
    __table_args__ = (
        # What a client sends as If-Match is a count; zero would be a state that nobody saved.
        CheckConstraint("version >= 1", name="version"),
        # One's diagrams or one's trash, pinned first and then newest, and their keyset paging; the
        # count for the quota; the rows that a deleted user takes along.
        Index("ix_diagrams_owned", "user_id", "is_deleted", "is_pinned", "updated_at", "id"),
        # The purge looks only at the trash.
        Index("ix_diagrams_trash", "updated_at", postgresql_where=IN_TRASH, sqlite_where=IN_TRASH),
    )

    # UUID text: SQLite files from before PostgreSQL hold it so, and clients keep such links.
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    # No cascade: whoever deletes a user deletes the diagrams first, and says how many.
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str] = mapped_column(String(200))
    diagram_type: Mapped[str] = mapped_column(String(50))
    language: Mapped[str] = mapped_column(String(10), default="zh")
    spec: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    # A data URL of a picture.
    thumbnail: Mapped[str | None] = mapped_column(Text)
    is_pinned: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_deleted: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Counts the states of the content: what a client read is what it may replace.
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @hybrid_property
    def has_thumbnail(self) -> bool:
        return self.thumbnail is not None

    @has_thumbnail.inplace.expression
    @classmethod
    def _has_thumbnail(cls) -> ColumnElement[bool]:
        return cls.thumbnail.is_not(None)


class DiagramVersion(Base):
    """An earlier state of a diagram."""

    __tablename__ = "diagram_versions"
    # A state is found by its number, and two writers can't both keep the same one.
    __table_args__ = (UniqueConstraint("diagram_id", "version"),)

    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    # It goes with its diagram.
    diagram_id: Mapped[str] = mapped_column(ForeignKey("diagrams.id", ondelete="CASCADE"))
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    diagram_type: Mapped[str] = mapped_column(String(50))
    language: Mapped[str] = mapped_column(String(10))
    spec: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    # When this state was saved, not when it was replaced.
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DiagramText(Base):
    """What a diagram is found by. A table of its own: a pin or a new thumbnail leaves it alone.

    It can be made anew from the diagrams at any time.
    """

    __tablename__ = "diagram_texts"
    __table_args__ = (
        # The search. On SQLite the migration makes a full-text index in its place.
        Index("ix_diagram_texts_terms", "terms", postgresql_using="gin").ddl_if(
            dialect="postgresql"
        ),
    )

    # SQLite's full-text index refers to a row by its number.
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    # One for each diagram, with which it goes.
    diagram_id: Mapped[str] = mapped_column(
        ForeignKey("diagrams.id", ondelete="CASCADE"), unique=True
    )
    # Title and texts of nodes, normalized.
    content: Mapped[str] = mapped_column(Text)
    terms: Mapped[list[str]] = mapped_column(Terms)
    # The diagram's updated_at when this was made; another one there means that this is stale.
    source_updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
