from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, String, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, RowId, UtcDateTime

WITH_KEY = text("api_key_id IS NOT NULL")


class TokenUsage(Base):
    """One call of a model: its tokens, what they cost, who asked and where."""

    __tablename__ = "token_usage"
    __table_args__ = (
        # A negative number would make sums smaller, and nobody would see it.
        CheckConstraint(
            "input_tokens >= 0 AND output_tokens >= 0 AND total_tokens >= 0", name="tokens"
        ),
        # One's own statistics, and the rows that a deleted user leaves.
        Index("ix_token_usage_user_id_created_at", "user_id", "created_at"),
        # An organization's statistics, and the rows that a deleted organization leaves.
        Index("ix_token_usage_organization_id_created_at", "organization_id", "created_at"),
        # The rows that a deleted key leaves. Few rows have a key.
        Index(
            "ix_token_usage_api_key_id",
            "api_key_id",
            postgresql_where=WITH_KEY,
            sqlite_where=WITH_KEY,
        ),
        # Statistics of everybody, and the retention. Rows come in the order of their time, so a
        # BRIN finds a range with a thousandth of a B-tree's size (docs/adr/0008).
        Index("ix_token_usage_created_at", "created_at", postgresql_using="brin"),
    )

    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    # Who sends a record again, because the answer was lost, sends the same id: it counts once.
    # None in rows from before PostgreSQL.
    event_id: Mapped[str | None] = mapped_column(String(36), unique=True)
    # What was spent stays in the sums when whoever spent it is deleted.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    # As above.
    organization_id: Mapped[int | None] = mapped_column(
        ForeignKey("organizations.id", ondelete="SET NULL")
    )
    # As above.
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    session_id: Mapped[str | None] = mapped_column(String(100))
    conversation_id: Mapped[str | None] = mapped_column(String(100))
    model_provider: Mapped[str | None] = mapped_column(String(50))
    model_name: Mapped[str | None] = mapped_column(String(100))
    model_alias: Mapped[str | None] = mapped_column(String(50))
    input_tokens: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    output_tokens: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    total_tokens: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # In the currency of the provider's price list.
    input_cost: Mapped[float | None]
    output_cost: Mapped[float | None]
    total_cost: Mapped[float | None]
    request_type: Mapped[str | None] = mapped_column(String(50))
    diagram_type: Mapped[str | None] = mapped_column(String(50))
    endpoint_path: Mapped[str | None] = mapped_column(String(200))
    success: Mapped[bool] = mapped_column(default=True, server_default=true())
    # Seconds.
    response_time: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
