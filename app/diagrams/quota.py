"""How many diagrams somebody may have."""

from sqlalchemy.orm import Session

from app.diagrams import queries
from app.diagrams.errors import DiagramLimitReached
from app.settings import Settings


def require_room(session: Session, settings: Settings, user_id: int, more: int = 1) -> None:
    """The user must be locked: else others could add diagrams after this has counted.

    Raises:
        DiagramLimitReached: with `more` diagrams there would be too many.
    """
    limit = settings.diagram_quota
    if queries.count(session, user_id) + more > limit:
        raise DiagramLimitReached(
            f"You may have {limit} diagrams at most; delete some first. "
            "Those in the trash don't count."
        )
