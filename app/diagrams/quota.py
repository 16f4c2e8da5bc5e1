"""How many diagrams somebody may have.

The user must be locked where they are counted: else others could add diagrams after that.
"""

from sqlalchemy.orm import Session

from app.diagrams import queries
from app.diagrams.errors import DiagramLimitReached
from app.settings import Settings


def require_room(session: Session, settings: Settings, user_id: int) -> None:
    """Raises DiagramLimitReached when there can't be one more."""
    limit = settings.diagram_quota
    if queries.count(session, user_id) >= limit:
        raise DiagramLimitReached(
            f"You may have {limit} diagrams at most; delete some first. "
            "Those in the trash don't count."
        )


def require_possible(settings: Settings, number: int) -> None:
    """Raises DiagramLimitReached when nobody could have so many diagrams, the trash included."""
    most = 2 * settings.diagram_quota
    if number > most:
        raise DiagramLimitReached(
            f"You may have {settings.diagram_quota} diagrams at most, and as many in the trash, "
            f"and these are {number}; nothing was imported."
        )


def require_kept(session: Session, settings: Settings, user_id: int, added: int) -> None:
    """Raises DiagramLimitReached when the diagrams that were added are too many."""
    limit = settings.diagram_quota
    for in_trash, where in ((False, ""), (True, " in the trash")):
        found = queries.count(session, user_id, in_trash=in_trash)
        if added and found > limit:
            raise DiagramLimitReached(
                f"You may have {limit} diagrams at most{where}, and this would make it {found}; "
                "nothing was imported."
            )
