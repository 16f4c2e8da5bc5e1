"""How much somebody may have. The user must be locked where it is counted."""

from sqlalchemy.orm import Session

from app.knowledge import queries
from app.knowledge.errors import DocumentLimitReached, StorageLimitReached
from app.settings import Settings

MB = 1024 * 1024


def require_document(session: Session, settings: Settings, user_id: int) -> None:
    """Raises DocumentLimitReached when there can't be one more."""
    limit = settings.knowledge_document_quota
    if queries.count(session, user_id) >= limit:
        raise DocumentLimitReached(f"You may have {limit} documents at most; delete some first.")


def require_space(session: Session, settings: Settings, user_id: int, added: int) -> None:
    """Raises StorageLimitReached when a file of so many bytes would be too much."""
    limit = settings.knowledge_storage_quota_mb
    if queries.size(session, user_id) + added > limit * MB:
        raise StorageLimitReached(
            f"Your files may have {limit} MB together, earlier versions included; "
            "delete some documents first."
        )
