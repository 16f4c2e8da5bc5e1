from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, String, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, UtcDateTime


class PasswordReset(Base):
    """A one-time token with which a user sets a new password."""

    __tablename__ = "password_resets"

    # One for each user: a new one replaces the one before. It goes with its user.
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    # SHA-256 in hex: who reads the database can set nobody's password. The token is found by it.
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ApiKey(Base):
    """A key with which a program acts for a user.

    Keys from before PostgreSQL belong to an organization or to nobody, and have no user.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        # Less than nothing would let calls pass, or count backwards, without a word.
        CheckConstraint("quota_limit >= 0", name="quota_limit"),
        # As above.
        CheckConstraint("usage_count >= 0", name="usage_count"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    # SHA-256 in hex; enough, because a key is long and random. The key is found by it.
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    # The first characters, by which people tell their keys apart.
    prefix: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(String(500))
    # One's keys are listed and counted by it, and a deleted user takes them along.
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    # A deleted organization takes its keys along; the deletion finds them by it.
    organization_id: Mapped[int | None] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    # Names of scopes with a space between them.
    scopes: Mapped[str] = mapped_column(String(200), default="", server_default="")
    # Calls that it is good for; None for any number.
    quota_limit: Mapped[int | None]
    # Calls that were counted, which are those of keys with a quota.
    usage_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # To the minute; see auth/api_keys.py.
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
