import uuid
from datetime import datetime, timedelta

from pydantic import ValidationError
from redis import Redis
from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.diagrams import cache, queries
from app.diagrams.errors import DiagramNotFound
from app.diagrams.models import Diagram
from app.diagrams.schemas import DiagramIn, DiagramOut, DiagramSummary
from app.http import pagination
from app.http.pagination import Page

PURGE_BATCH = 500

DiagramPage = Page[DiagramSummary]


def create(session: Session, user_id: int, payload: DiagramIn) -> DiagramOut:
    now = clock.now()
    diagram = Diagram(
        id=str(uuid.uuid4()),
        user_id=user_id,
        created_at=now,
        updated_at=now,
        **payload.model_dump(),
    )
    return DiagramOut.model_validate(queries.insert(session, diagram))


def require(session: Session, user_id: int, diagram_id: str) -> DiagramOut:
    """One's diagram. Raises DiagramNotFound, also for somebody else's."""
    return DiagramOut.model_validate(_require(session, user_id, diagram_id))


def replace(session: Session, user_id: int, diagram_id: str, payload: DiagramIn) -> DiagramOut:
    """Raises DiagramNotFound."""
    diagram = _require(session, user_id, diagram_id)
    for field, value in payload.model_dump().items():
        setattr(diagram, field, value)
    diagram.updated_at = clock.now()
    session.flush()
    return DiagramOut.model_validate(diagram)


def delete(session: Session, user_id: int, diagram_id: str) -> None:
    """Moves a diagram into the trash. Raises DiagramNotFound."""
    if not queries.mark_deleted(session, user_id, diagram_id, clock.now()):
        raise DiagramNotFound


def list_page(
    database: Database, redis: Redis, user_id: int, *, limit: int, cursor: str | None
) -> DiagramPage:
    """A page of one's diagrams, newest first.

    First pages are cached. Others are asked for rarely, and a cursor can be written in many ways,
    so that caching them would let anybody fill Redis.

    Raises:
        InvalidCursor.
    """
    if cursor:
        return _read_page(database, user_id, limit, _position(cursor))
    version = cache.list_version(redis, user_id)
    cached = _parse(cache.find_page(redis, user_id, version, limit)) if version else None
    if cached is not None:
        return cached
    page = _read_page(database, user_id, limit, None)
    if version:
        cache.store_page(redis, user_id, version, limit, page.model_dump_json())
    return page


def purge_trash(database: Database, *, days: int) -> int:
    """Deletes for good what has been in the trash for longer than `days`; how many diagrams."""
    older_than = clock.now() - timedelta(days=days)
    total = 0
    while True:
        with database.begin(frees_space=True) as session:
            deleted = queries.delete_trash(session, older_than, PURGE_BATCH)
        total += deleted
        if deleted < PURGE_BATCH:
            return total


def _require(session: Session, user_id: int, diagram_id: str) -> Diagram:
    diagram = queries.get(session, user_id, diagram_id)
    if diagram is None:
        raise DiagramNotFound
    return diagram


def _parse(cached: bytes | None) -> DiagramPage | None:
    """None also for a page that another release has stored in another shape."""
    if cached is None:
        return None
    try:
        return DiagramPage.model_validate_json(cached)
    except ValidationError:
        return None


def _position(cursor: str) -> tuple[datetime, str]:
    at, diagram_id = pagination.decode(cursor, datetime, str)
    return at, diagram_id


def _read_page(
    database: Database, user_id: int, limit: int, before: tuple[datetime, str] | None
) -> DiagramPage:
    with database.read() as session:
        found = queries.list_page(session, user_id, limit + 1, before)
    items = found[:limit]
    more = len(found) > limit
    last = items[-1] if items else None
    cursor = pagination.encode(last.updated_at, last.id) if more and last else None
    return DiagramPage(items=items, next_cursor=cursor)
