"""Diagrams that were deleted and can still be had back.

Somebody's trash holds as many diagrams as they may have: of more, the oldest go.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.diagrams import indexing, queries, quota, versions
from app.diagrams.errors import NotInTrash
from app.diagrams.schemas import DiagramOut, Emptied
from app.http.etags import ANY, Expected
from app.settings import Settings
from app.users import service as users

PURGE_BATCH = 500


def put(
    session: Session, settings: Settings, user_id: int, diagram_id: str, expected: Expected = ANY
) -> None:
    """Moves a diagram into the trash.

    Raises:
        DiagramNotFound, VersionMismatch.
    """
    users.lock(session, user_id)
    versions.hold(session, user_id, diagram_id, expected)
    queries.move_to_trash(session, user_id, diagram_id, clock.now())
    # Nobody looks for it there.
    queries.forget_text(session, diagram_id)
    queries.trim_trash(session, user_id, settings.diagram_quota)


def restore(session: Session, settings: Settings, user_id: int, diagram_id: str) -> DiagramOut:
    """Takes a diagram out of the trash.

    Raises:
        NotInTrash, DiagramLimitReached.
    """
    users.lock(session, user_id)
    diagram = queries.lock(session, user_id, diagram_id, in_trash=True)
    if diagram is None:
        raise NotInTrash
    quota.require_room(session, settings, user_id)
    queries.change(session, diagram, {"is_deleted": False, "updated_at": clock.now()})
    indexing.index(session, diagram)
    return DiagramOut.model_validate(diagram)


def purge(session: Session, user_id: int, diagram_id: str) -> None:
    """Deletes a diagram in the trash for good. Raises NotInTrash."""
    if not queries.purge(session, user_id, diagram_id):
        raise NotInTrash


def empty(session: Session, user_id: int) -> Emptied:
    """Deletes all of somebody's trash for good."""
    return Emptied(deleted=queries.empty_trash(session, user_id))


def purge_old(database: Database, *, days: int) -> int:
    """Deletes for good what has been in the trash for longer than `days`; how many diagrams."""
    older_than = clock.now() - timedelta(days=days)
    total = 0
    while True:
        with database.begin(frees_space=True) as session:
            deleted = queries.delete_trash(session, older_than, PURGE_BATCH)
        total += deleted
        if deleted < PURGE_BATCH:
            return total
