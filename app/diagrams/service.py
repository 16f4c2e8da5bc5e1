import re
import uuid
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app import clock
from app.cache.entries import Cache
from app.db.session import Database
from app.diagrams import cache, content, indexing, queries, quota, spec, texts, thumbnails, versions
from app.diagrams.errors import DiagramNotFound, ThumbnailNotFound
from app.diagrams.queries import Position
from app.diagrams.schemas import (
    DiagramFilter,
    DiagramIn,
    DiagramOut,
    DiagramPatch,
    DiagramSummary,
    DuplicateIn,
)
from app.diagrams.spec import InvalidSpec, Spec
from app.diagrams.thumbnails import Picture
from app.errors import InvalidPayload
from app.http import pagination
from app.http.etags import ANY, Expected
from app.http.pagination import Page
from app.settings import Settings
from app.users import service as users

LONGEST_TITLE = 200
COPY = re.compile(r"(.*) \(([0-9]{1,6})\)", re.DOTALL)
EVERYTHING = DiagramFilter()

DiagramPage = Page[DiagramSummary]


class Counts(NamedTuple):
    """What a user has, the trash included."""

    diagrams: int
    versions: int


def create(session: Session, settings: Settings, user_id: int, payload: DiagramIn) -> DiagramOut:
    """Raises InvalidPayload, DiagramLimitReached."""
    check_spec(settings, payload.diagram_type, payload.spec)
    return _add(session, settings, user_id, payload.model_dump())


def require(session: Session, user_id: int, diagram_id: str) -> DiagramOut:
    """One's diagram. Raises DiagramNotFound, also for somebody else's."""
    found = queries.find(session, user_id, diagram_id)
    if found is None:
        raise DiagramNotFound
    return found


def find(database: Database, copies: Cache, user_id: int, diagram_id: str) -> DiagramOut:
    """`require`, from the cache where it has it. Raises DiagramNotFound."""

    def load() -> DiagramOut | None:
        with database.read() as session:
            return queries.find(session, user_id, diagram_id)

    found = cache.read_one(copies, user_id, diagram_id, load)
    if found is None:
        raise DiagramNotFound
    return found


def require_thumbnail(session: Session, user_id: int, diagram_id: str) -> Picture:
    """Raises ThumbnailNotFound, also where there is no diagram."""
    url = queries.find_thumbnail(session, user_id, diagram_id)
    if url is None:
        raise ThumbnailNotFound
    try:
        return thumbnails.read(url)
    except ValueError as error:
        # From before PostgreSQL, when nobody checked them.
        raise ThumbnailNotFound from error


def replace(
    session: Session,
    settings: Settings,
    user_id: int,
    diagram_id: str,
    payload: DiagramIn,
    expected: Expected,
) -> DiagramOut:
    """Raises InvalidPayload, DiagramNotFound, VersionMismatch."""
    check_spec(settings, payload.diagram_type, payload.spec)
    diagram = versions.lock(session, user_id, diagram_id, expected)
    values = payload.model_dump()
    if "thumbnail" not in payload.model_fields_set:
        del values["thumbnail"]
    versions.change(session, settings, diagram, values)
    return DiagramOut.model_validate(diagram)


def change(
    session: Session,
    settings: Settings,
    user_id: int,
    diagram_id: str,
    payload: DiagramPatch,
    expected: Expected,
) -> DiagramOut:
    """Changes the fields that the payload has.

    Raises:
        InvalidPayload, DiagramNotFound, VersionMismatch.
    """
    diagram = versions.lock(session, user_id, diagram_id, expected)
    values = payload.model_dump(exclude_unset=True)
    if {"spec", "diagram_type"} & values.keys():
        # Each may be right by itself and wrong for the other.
        after = content.of(diagram) | values
        check_spec(settings, after["diagram_type"], after["spec"])
    versions.change(session, settings, diagram, values)
    return DiagramOut.model_validate(diagram)


def duplicate(
    session: Session, settings: Settings, user_id: int, diagram_id: str, payload: DuplicateIn
) -> DiagramOut:
    """A copy without the versions and the pin.

    Raises:
        DiagramNotFound, DiagramLimitReached.
    """
    users.lock(session, user_id)
    original = versions.lock(session, user_id, diagram_id, ANY)
    title = payload.title or title_of_copy(original.title)
    values = content.of(original) | {"title": title, "thumbnail": original.thumbnail}
    return _add(session, settings, user_id, values)


def pin(
    session: Session, user_id: int, diagram_id: str, expected: Expected, *, pinned: bool
) -> None:
    """Raises DiagramNotFound, VersionMismatch."""
    versions.hold(session, user_id, diagram_id, expected)
    queries.pin(session, user_id, diagram_id, pinned=pinned)


def list_page(
    database: Database,
    copies: Cache,
    user_id: int,
    *,
    limit: int,
    cursor: str | None,
    chosen: DiagramFilter = EVERYTHING,
) -> DiagramPage:
    """A page of one's diagrams, pinned first and then newest first. Raises InvalidCursor."""
    if cursor or chosen != EVERYTHING or limit > cache.BEGINNING:
        return _read_page(database, user_id, limit, cursor, chosen)

    def load() -> list[DiagramSummary]:
        with database.read() as session:
            return queries.list_page(session, user_id, cache.BEGINNING + 1, None)

    return page_of(cache.read_beginning(copies, user_id, load), limit)


def list_trash(database: Database, user_id: int, *, limit: int, cursor: str | None) -> DiagramPage:
    """A page of one's trash, in the same order. Raises InvalidCursor."""
    before = _position(cursor)
    with database.read() as session:
        found = queries.list_page(session, user_id, limit + 1, before, in_trash=True)
    return page_of(found, limit)


def count(session: Session, user_id: int, *, in_trash: bool = False) -> int:
    return queries.count(session, user_id, in_trash=in_trash)


def count_all_of(session: Session, user_id: int) -> Counts:
    """What `delete_all_of` would delete."""
    diagrams = [queries.count(session, user_id, in_trash=in_trash) for in_trash in (False, True)]
    return Counts(sum(diagrams), queries.count_versions(session, user_id))


def delete_all_of(session: Session, user_id: int) -> Counts:
    """Deletes for good all that a user has.

    The user must be locked, so that no diagram is added meanwhile.
    """
    counts = count_all_of(session, user_id)
    queries.delete_all_of(session, user_id)
    return counts


def check_spec(settings: Settings, diagram_type: str, given: Spec, *where: str | int) -> None:
    """Raises InvalidPayload with the place: `where` in the body, and the JSON path in the spec."""
    try:
        spec.check(
            diagram_type,
            given,
            limit_kb=settings.diagram_spec_limit_kb,
            limit_nodes=settings.diagram_node_limit,
        )
    except InvalidSpec as error:
        raise InvalidPayload((["body", *where, "spec"], str(error))) from error


def title_of_copy(title: str) -> str:
    """The title with (2) behind it, or with the next number when it has one."""
    found = COPY.fullmatch(title)
    number = int(found[2]) + 1 if found else 2
    ending = f" ({number})"
    return (found[1] if found else title)[: LONGEST_TITLE - len(ending)] + ending


def _add(session: Session, settings: Settings, user_id: int, values: dict[str, Any]) -> DiagramOut:
    # Before the first statement, after which others wait.
    text = indexing.prepare(user_id, values["title"], values["spec"])
    users.lock(session, user_id)
    quota.require_room(session, settings, user_id)
    now = clock.now()
    diagram = values | {
        "id": str(uuid.uuid4()),
        "is_pinned": False,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    queries.add(session, diagram | {"user_id": user_id})
    indexing.add(session, diagram["id"], text, now)
    has_thumbnail = values["thumbnail"] is not None
    return DiagramOut.model_validate(diagram | {"has_thumbnail": has_thumbnail})


def _read_page(
    database: Database, user_id: int, limit: int, cursor: str | None, chosen: DiagramFilter
) -> DiagramPage:
    before = _position(cursor)
    wanted = None if chosen.search is None else texts.parse_query(chosen.search)
    if wanted is not None and not wanted:
        # Nothing but punctuation is looked for, and found nowhere.
        return DiagramPage(items=[], next_cursor=None)
    with database.read() as session:
        found = queries.list_page(session, user_id, limit + 1, before, chosen=chosen, wanted=wanted)
    return page_of(found, limit)


def _position(cursor: str | None) -> Position | None:
    if not cursor:
        return None
    pinned, at, diagram_id = pagination.decode(cursor, bool, datetime, str)
    return pinned, at, diagram_id


def page_of(found: list[DiagramSummary], limit: int) -> DiagramPage:
    """The first `limit` of a list of which more was read than that, where there is more."""
    items = found[:limit]
    if len(found) <= limit:
        return DiagramPage(items=items, next_cursor=None)
    last = items[-1]
    cursor = pagination.encode(last.is_pinned, last.updated_at, last.id)
    return DiagramPage(items=items, next_cursor=cursor)
