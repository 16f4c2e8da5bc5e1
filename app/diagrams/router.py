from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from app.cache.entries import Cache
from app.db.session import Database
from app.diagrams import cache, service, transfer, trash, versions
from app.diagrams.dependencies import (
    Body,
    DiagramId,
    Exporter,
    FilterOf,
    Importer,
    Optional,
    Reader,
    Required,
    VersionNumber,
    Writer,
)
from app.diagrams.documents import BODY, Imported
from app.diagrams.errors import (
    DiagramLimitReached,
    DiagramNotFound,
    NotInTrash,
    ThumbnailNotFound,
    VersionMismatch,
    VersionNotFound,
    VersionRequired,
)
from app.diagrams.schemas import (
    DiagramIn,
    DiagramOut,
    DiagramPatch,
    DuplicateIn,
    Emptied,
    VersionList,
    VersionOut,
)
from app.diagrams.service import DiagramPage
from app.errors import InvalidInput, InvalidPayload, PayloadTooLarge
from app.http import etags
from app.http.dependencies import CacheOf, DatabaseOf, SettingsOf
from app.http.documentation import Responses, raises
from app.http.etags import IfNoneMatch
from app.http.pagination import CursorText, InvalidCursor, Limit
from app.http.routes import Route
from app.users.schemas import UserOut

router = APIRouter(route_class=Route, tags=["diagrams"])

NOT_MODIFIED: Responses = {304: {"description": "It is what the If-None-Match names."}}
CHANGED = VersionMismatch(7)


@contextmanager
def writing(
    database: Database, copies: Cache, user: UserOut, *diagram_ids: str
) -> Iterator[Session]:
    """The unit of work of whatever changes somebody's diagrams: these, or the list alone."""
    with cache.changing(copies, user.id, *diagram_ids), database.begin() as session:
        yield session


@router.get("", responses=raises(InvalidCursor))
def list_page(
    user: Reader,
    database: DatabaseOf,
    copies: CacheOf,
    chosen: FilterOf,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> DiagramPage:
    """One's diagrams, pinned first and then by their last change, without their specs.

    `q` looks for words in the titles and the texts of the nodes. A diagram must have all of them,
    as words or as beginnings of words.
    """
    # What front_cache.py has no copy of.
    return service.list_page(database, copies, user.id, limit=limit, cursor=cursor, chosen=chosen)


@router.post("", status_code=201, responses=raises(DiagramLimitReached))
def create(
    payload: DiagramIn,
    user: Writer,
    database: DatabaseOf,
    copies: CacheOf,
    settings: SettingsOf,
    response: Response,
) -> DiagramOut:
    with writing(database, copies, user) as session:
        made = service.create(session, settings, user.id, payload)
    return _tagged(response, made)


@router.get("/trash", responses=raises(InvalidCursor))
def list_trash(
    user: Reader, database: DatabaseOf, limit: Limit = 20, cursor: CursorText = None
) -> DiagramPage:
    """What was deleted and can be restored. It holds as many diagrams as one may have."""
    return service.list_trash(database, user.id, limit=limit, cursor=cursor)


@router.delete("/trash")
def empty_trash(user: Writer, database: DatabaseOf) -> Emptied:
    with database.begin(frees_space=True) as session:
        return trash.empty(session, user.id)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {}}, "description": "The document."}},
)
def export(user: Exporter, database: DatabaseOf) -> StreamingResponse:
    """Everything that one has as one document, the trash and the versions too."""
    return StreamingResponse(
        transfer.export(database, user),
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="mindgraph.json"'},
    )


@router.post(
    "/import",
    responses=raises(InvalidInput, InvalidPayload, PayloadTooLarge, DiagramLimitReached),
    openapi_extra=BODY,
)
def import_document(
    user: Importer, body: Body, database: DatabaseOf, copies: CacheOf, settings: SettingsOf
) -> Imported:
    """Adds what an export holds and one doesn't have: all of it, or nothing after an error."""
    prepared = transfer.read(settings, user.id, body)
    with writing(database, copies, user) as session:
        return transfer.store(session, settings, user.id, prepared)


@router.get(
    "/{diagram_id}",
    response_model=DiagramOut,
    responses={**raises(DiagramNotFound), **NOT_MODIFIED},
)
def read(
    diagram_id: DiagramId,
    user: Reader,
    database: DatabaseOf,
    copies: CacheOf,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> DiagramOut | Response:
    """The ETag begins with the version; a change is made with it as If-Match."""
    # What front_cache.py has no copy of.
    found = service.find(database, copies, user.id, diagram_id)
    if etags.has(if_none_match, found.etag):
        return Response(status_code=304, headers={"ETag": found.etag})
    return _tagged(response, found)


@router.put("/{diagram_id}", responses=raises(DiagramNotFound, CHANGED, VersionRequired))
def replace(
    diagram_id: DiagramId,
    user: Writer,
    payload: DiagramIn,
    expected: Required,
    database: DatabaseOf,
    copies: CacheOf,
    settings: SettingsOf,
    response: Response,
) -> DiagramOut:
    """Without a change of the content, it stays the version that it is."""
    with writing(database, copies, user, diagram_id) as session:
        made = service.replace(session, settings, user.id, diagram_id, payload, expected)
    return _tagged(response, made)


@router.patch("/{diagram_id}", responses=raises(DiagramNotFound, CHANGED, VersionRequired))
def change(
    diagram_id: DiagramId,
    user: Writer,
    payload: DiagramPatch,
    expected: Required,
    database: DatabaseOf,
    copies: CacheOf,
    settings: SettingsOf,
    response: Response,
) -> DiagramOut:
    with writing(database, copies, user, diagram_id) as session:
        made = service.change(session, settings, user.id, diagram_id, payload, expected)
    return _tagged(response, made)


@router.delete("/{diagram_id}", status_code=204, responses=raises(DiagramNotFound, CHANGED))
def delete(
    diagram_id: DiagramId,
    user: Writer,
    expected: Optional,
    database: DatabaseOf,
    copies: CacheOf,
    settings: SettingsOf,
) -> None:
    """Moves it into the trash. Of more than the trash can hold, the oldest are deleted for good."""
    with writing(database, copies, user, diagram_id) as session:
        trash.put(session, settings, user.id, diagram_id, expected)


@router.post("/{diagram_id}/restore", responses=raises(NotInTrash, DiagramLimitReached))
def restore(
    diagram_id: DiagramId,
    user: Writer,
    database: DatabaseOf,
    copies: CacheOf,
    settings: SettingsOf,
    response: Response,
) -> DiagramOut:
    """Takes it out of the trash."""
    with writing(database, copies, user, diagram_id) as session:
        restored = trash.restore(session, settings, user.id, diagram_id)
    return _tagged(response, restored)


@router.delete("/{diagram_id}/purge", status_code=204, responses=raises(NotInTrash))
def purge(diagram_id: DiagramId, user: Writer, database: DatabaseOf) -> None:
    """Deletes it from the trash for good."""
    with database.begin(frees_space=True) as session:
        trash.purge(session, user.id, diagram_id)


@router.post(
    "/{diagram_id}/duplicate",
    status_code=201,
    responses=raises(DiagramNotFound, DiagramLimitReached),
)
def duplicate(
    diagram_id: DiagramId,
    user: Writer,
    database: DatabaseOf,
    copies: CacheOf,
    settings: SettingsOf,
    response: Response,
    payload: DuplicateIn | None = None,
) -> DiagramOut:
    with writing(database, copies, user, diagram_id) as session:
        given = payload or DuplicateIn()
        made = service.duplicate(session, settings, user.id, diagram_id, given)
    return _tagged(response, made)


@router.put("/{diagram_id}/pin", status_code=204, responses=raises(DiagramNotFound, CHANGED))
def pin(
    diagram_id: DiagramId,
    user: Writer,
    expected: Optional,
    database: DatabaseOf,
    copies: CacheOf,
) -> None:
    """Puts it before those that aren't pinned. It stays the version that it is."""
    with writing(database, copies, user, diagram_id) as session:
        service.pin(session, user.id, diagram_id, expected, pinned=True)


@router.delete("/{diagram_id}/pin", status_code=204, responses=raises(DiagramNotFound, CHANGED))
def unpin(
    diagram_id: DiagramId,
    user: Writer,
    expected: Optional,
    database: DatabaseOf,
    copies: CacheOf,
) -> None:
    with writing(database, copies, user, diagram_id) as session:
        service.pin(session, user.id, diagram_id, expected, pinned=False)


@router.get(
    "/{diagram_id}/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}, "image/png": {}, "image/webp": {}}},
        **raises(ThumbnailNotFound),
        **NOT_MODIFIED,
    },
)
def show_thumbnail(
    diagram_id: DiagramId,
    user: Reader,
    database: DatabaseOf,
    if_none_match: IfNoneMatch = None,
) -> Response:
    with database.read() as session:
        picture = service.require_thumbnail(session, user.id, diagram_id)
    headers = {"ETag": f'"{sha256(picture.content).hexdigest()[:32]}"'}
    if etags.has(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(picture.content, media_type=picture.media_type, headers=headers)


@router.get("/{diagram_id}/versions", responses=raises(DiagramNotFound))
def list_versions(diagram_id: DiagramId, user: Reader, database: DatabaseOf) -> VersionList:
    """The earlier states that are kept, newest first."""
    with database.read() as session:
        return versions.list_of(session, user.id, diagram_id)


@router.get("/{diagram_id}/versions/{version}", responses=raises(DiagramNotFound, VersionNotFound))
def read_version(
    diagram_id: DiagramId, version: VersionNumber, user: Reader, database: DatabaseOf
) -> VersionOut:
    with database.read() as session:
        return versions.require(session, user.id, diagram_id, version)


@router.post(
    "/{diagram_id}/versions/{version}/restore",
    responses=raises(DiagramNotFound, VersionNotFound, CHANGED, VersionRequired),
)
def restore_version(
    diagram_id: DiagramId,
    version: VersionNumber,
    user: Writer,
    expected: Required,
    database: DatabaseOf,
    copies: CacheOf,
    settings: SettingsOf,
    response: Response,
) -> DiagramOut:
    """Makes a new version with what an earlier one had."""
    with writing(database, copies, user, diagram_id) as session:
        made = versions.restore(session, settings, user.id, diagram_id, version, expected)
    return _tagged(response, made)


def _tagged(response: Response, diagram: DiagramOut) -> DiagramOut:
    response.headers["ETag"] = diagram.etag
    return diagram
