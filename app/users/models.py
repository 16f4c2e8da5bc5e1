from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class User(Base):
    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('user', 'manager', 'admin')", name="role"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    # The login name: a phone number or an account like an e-mail address. The column keeps the
    # name that it has in SQLite files from before PostgreSQL, so that the move is by name.
    login: Mapped[str] = mapped_column("phone", String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(100))
    organization_id: Mapped[int | None] = mapped_column(
        # The members of an organization are found by it, and a deletion checks it.
        ForeignKey("organizations.id"),
        index=True,
    )
    # An emoji, of several code points where it is joined or has a skin tone.
    avatar: Mapped[str | None] = mapped_column(String(50))
    role: Mapped[str] = mapped_column(String(20), default="user")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_login: Mapped[datetime | None] = mapped_column(UtcDateTime)
