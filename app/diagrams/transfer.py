"""All of somebody's diagrams as one document, out and in."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.diagrams import content, indexing, queries, quota, service
from app.diagrams.documents import (
    FORMAT,
    FORMAT_VERSION,
    Document,
    ExportedDiagram,
    Imported,
    ImportedDiagram,
)
from app.diagrams.indexing import Indexed
from app.errors import InvalidPayload
from app.settings import Settings
from app.users import service as users
from app.users.schemas import UserOut

# Ids of what can't keep its own. The number itself means nothing.
NAMESPACE = uuid.UUID("5f0c2f6e-3c8b-4a51-9d5e-6d696e646772")
ID_BATCH = 500


@dataclass(frozen=True)
class Prepared:
    """A diagram of a document, ready to be stored."""

    diagram: ImportedDiagram
    fingerprint: str
    # None in the trash, which isn't searched.
    text: Indexed | None


def export(database: Database, user: UserOut) -> Iterator[str]:
    """The document, in pieces.

    Each diagram is read for itself: however slow the client is, no connection waits for it, and
    no more than one diagram with its versions is in memory.
    """
    head = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "exported_at": clock.now().isoformat(),
        "user": user.model_dump(mode="json"),
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "diagrams": ['
    separator = "\n"
    for diagram_id in _ids(database, user.id):
        with database.read() as session:
            diagram = _read(session, user.id, diagram_id)
        if diagram is not None:
            yield separator + diagram.model_dump_json()
            separator = ",\n"
    yield "]}\n"


def read(settings: Settings, user_id: int, body: bytes) -> list[Prepared]:
    """The diagrams in a document. Raises InvalidPayload, DiagramLimitReached."""
    try:
        document = Document.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidPayload(
            *((["body", *problem["loc"]], problem["msg"]) for problem in problems)
        ) from error
    # Before the work: to store as many as fit into a document takes minutes.
    quota.require_possible(settings, len(document.diagrams))
    return [
        _prepare(settings, user_id, at, diagram) for at, diagram in enumerate(document.diagrams)
    ]


def store(session: Session, settings: Settings, user_id: int, prepared: list[Prepared]) -> Imported:
    """Adds what isn't there yet: all of it, or nothing when it raises.

    Raises:
        DiagramLimitReached.
    """
    users.lock(session, user_id)
    imported = 0
    for one in prepared:
        diagram_id = _free_id(session, user_id, one)
        if diagram_id is not None:
            _add(session, settings, user_id, diagram_id, one)
            imported += 1
    quota.require_kept(session, settings, user_id, imported)
    return Imported(imported=imported, skipped=len(prepared) - imported)


def _ids(database: Database, user_id: int) -> Iterator[str]:
    after = ""
    while True:
        with database.read() as session:
            batch = queries.list_ids(session, user_id, after, ID_BATCH)
        if not batch:
            return
        yield from batch
        after = batch[-1]


def _read(session: Session, user_id: int, diagram_id: str) -> ExportedDiagram | None:
    """None when it was deleted meanwhile."""
    diagram = queries.find_stored(session, user_id, diagram_id)
    if diagram is not None:
        diagram.versions = queries.read_versions(session, diagram_id)
    return diagram


def _prepare(settings: Settings, user_id: int, at: int, diagram: ImportedDiagram) -> Prepared:
    service.check_spec(settings, diagram.diagram_type, diagram.spec, "diagrams", at)
    for number, earlier in enumerate(diagram.versions):
        where = ("diagrams", at, "versions", number)
        service.check_spec(settings, earlier.diagram_type, earlier.spec, *where)
    text = None
    if not diagram.is_deleted:
        text = indexing.prepare(user_id, diagram.title, diagram.spec)
    return Prepared(diagram, content.fingerprint(content.of(diagram)), text)


def _free_id(session: Session, user_id: int, one: Prepared) -> str | None:
    """The id to store it under; None when the user has it.

    Others than its own follow from what it is, so that a second import finds the first one's.
    """
    diagram_id, attempt = one.diagram.id, 0
    while True:
        owner = queries.find_owner(session, diagram_id)
        if owner is None:
            return diagram_id
        if owner == user_id and _is_there(session, user_id, diagram_id, one, attempt):
            return None
        attempt += 1
        name = f"{user_id} {attempt} {one.diagram.id} {one.fingerprint}"
        diagram_id = str(uuid.uuid5(NAMESPACE, name))


def _is_there(session: Session, user_id: int, diagram_id: str, one: Prepared, attempt: int) -> bool:
    stored = queries.find_stored(session, user_id, diagram_id)
    assert stored
    if stored.is_deleted and not one.diagram.is_deleted:
        return False
    # What an import added under another id is that diagram, whatever has become of it.
    return attempt > 0 or content.fingerprint(content.of(stored)) == one.fingerprint


def _add(
    session: Session, settings: Settings, user_id: int, diagram_id: str, one: Prepared
) -> None:
    given = one.diagram
    now = clock.now()
    # Nothing is from the future, where it would stay on top of the list.
    updated_at = min(given.updated_at, now)
    diagram = {
        "id": diagram_id,
        "user_id": user_id,
        "thumbnail": given.thumbnail,
        "is_pinned": given.is_pinned,
        "is_deleted": given.is_deleted,
        "version": given.version,
        "created_at": min(given.created_at, now),
        "updated_at": updated_at,
    }
    queries.add(session, diagram | content.of(given))
    newest = sorted(given.versions, key=lambda version: version.version, reverse=True)
    queries.add_versions(
        session,
        [
            {"diagram_id": diagram_id, **version.model_dump()}
            for version in newest[: settings.diagram_version_limit]
        ],
    )
    if one.text is not None:
        indexing.add(session, diagram_id, one.text, updated_at)
