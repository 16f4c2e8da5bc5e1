"""The embedded database. Nothing in here runs on PostgreSQL."""

from app.db.sqlite.connections import build, check_foreign_keys, prepare_for_migrations
from app.db.sqlite.meanings import is_error, meaning

__all__ = ["build", "check_foreign_keys", "is_error", "meaning", "prepare_for_migrations"]
