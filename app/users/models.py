from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime

BCRYPT = text("password_hash LIKE '$2%'")


class User(Base):
    """Somebody who can log in."""

    __tablename__ = "users"
    __table_args__ = (
        # What code decides by must be one of these; a typing error in SQL would lock people out.
        CheckConstraint("role IN ('user', 'manager', 'admin')", name="role"),
        # Whether anybody is left whose hash comes from before argon2id, asked by refused logins.
        Index("ix_users_bcrypt", "id", postgresql_where=BCRYPT, sqlite_where=BCRYPT),
        # SQLite would give the number of a deleted user to the next one, and with it the sessions
        # and the events in the audit trail. PostgreSQL never does.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    # The login name: a phone number or an account like an e-mail address. The column keeps the
    # name that it has in SQLite files from before PostgreSQL, so that the move is by name.
    # Unique: it alone says who logs in.
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
    # A session holds the epoch that it was opened in and is over in any other: one statement, in
    # the transaction that changes a password, ends all of them, whatever becomes of Redis.
    session_epoch: Mapped[int] = mapped_column(default=0, server_default="0")
