"""Documents: uploading, watching, changing and deleting them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from app.errors import InvalidInput, InvalidPayload
from app.http.dependencies import DatabaseOf, SettingsOf
from app.http.documentation import Responses, raises
from app.http.event_streams import EVENTS, EventStream
from app.http.pagination import CursorText, InvalidCursor, Limit
from app.http.routes import Route
from app.knowledge import answers_router, events, search_router, service
from app.knowledge.dependencies import (
    FORM,
    DocumentId,
    FilesOf,
    FilterOf,
    Reader,
    Uploader,
    UploadOf,
    VersionNumber,
    Wake,
    Writer,
)
from app.knowledge.errors import (
    DocumentLimitReached,
    DocumentNotFound,
    DocumentTaken,
    DocumentVersionNotFound,
    FileMissing,
    NothingToCancel,
    NothingToRetry,
    StorageLimitReached,
    TooManyWatchers,
)
from app.knowledge.files import FilesUnusable
from app.knowledge.schemas import DocumentOut, DocumentPatch, Holdings, TextOut, VersionOut
from app.knowledge.service import DocumentPage

router = APIRouter(route_class=Route, tags=["knowledge"])
router.include_router(search_router.router)
router.include_router(answers_router.router)

STORING = (InvalidInput, InvalidPayload, StorageLimitReached, FilesUnusable)
SAME: Responses = {200: {"description": "The same file is there already."}}
BINARY: Responses = {200: {"content": {"application/octet-stream": {}}, "description": "The file."}}


@router.get("")
def holdings(user: Reader, database: DatabaseOf, settings: SettingsOf) -> Holdings:
    """How much one has, and may have."""
    with database.read() as session:
        return service.holdings(session, settings, user.id)


@router.get("/documents", responses=raises(InvalidCursor))
def list_page(
    user: Reader,
    database: DatabaseOf,
    chosen: FilterOf,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> DocumentPage:
    """One's documents, newest first. `state` is the newest version's."""
    with database.read() as session:
        return service.list_page(session, user.id, chosen, limit=limit, cursor=cursor)


@router.post(
    "/documents",
    status_code=201,
    responses={**raises(*STORING, DocumentLimitReached), **SAME},
    openapi_extra=FORM,
)
def upload(
    user: Uploader,
    upload: UploadOf,
    database: DatabaseOf,
    files: FilesOf,
    settings: SettingsOf,
    wake: Wake,
    response: Response,
) -> DocumentOut:
    """Takes a file: PDF, DOCX, PPTX, XLSX, HTML, Markdown or text. A worker reads it afterwards.

    The same file again is the document that there is, with 200; if it had failed or was
    cancelled, it is tried again.
    """
    made, is_new = service.add(database, files, settings, user.id, upload)
    wake()
    if not is_new:
        response.status_code = 200
    response.headers["Location"] = f"/api/knowledge/documents/{made.id}"
    return made


@router.get("/documents/{document_id}", responses=raises(DocumentNotFound))
def read(document_id: DocumentId, user: Reader, database: DatabaseOf) -> DocumentOut:
    with database.read() as session:
        return service.require(session, user.id, document_id)


@router.patch("/documents/{document_id}", responses=raises(DocumentNotFound))
def change(
    document_id: DocumentId, user: Writer, payload: DocumentPatch, database: DatabaseOf
) -> DocumentOut:
    with database.begin() as session:
        return service.change(session, user.id, document_id, payload)


@router.delete("/documents/{document_id}", status_code=204, responses=raises(DocumentNotFound))
def delete(
    document_id: DocumentId, user: Writer, database: DatabaseOf, files: FilesOf, wake: Wake
) -> None:
    """For good, with all versions. From now on no search finds it."""
    with database.begin(frees_space=True) as session:
        doomed = service.delete(session, user.id, document_id)
    service.discard_files(database, files, doomed)
    wake()


@router.put(
    "/documents/{document_id}/file",
    responses=raises(*STORING, DocumentNotFound, DocumentTaken),
    openapi_extra=FORM,
)
def replace(
    document_id: DocumentId,
    user: Uploader,
    upload: UploadOf,
    database: DatabaseOf,
    files: FilesOf,
    settings: SettingsOf,
    wake: Wake,
) -> DocumentOut:
    """Takes a new version. Until it is ready, searches find the one before."""
    made = service.replace(database, files, settings, user.id, document_id, upload)
    wake()
    return made


@router.get(
    "/documents/{document_id}/file",
    response_class=FileResponse,
    responses={**raises(DocumentVersionNotFound, FileMissing), **BINARY},
)
def download(
    document_id: DocumentId,
    user: Reader,
    database: DatabaseOf,
    files: FilesOf,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> FileResponse:
    """The file as it was uploaded; by default of the version that serves."""
    with database.read() as session:
        document = service.require(session, user.id, document_id)
        found = service.require_version(session, user.id, document_id, version)
    if not files.exists(found.sha256):
        raise FileMissing
    return FileResponse(
        files.path(found.sha256),
        # Not its own type: a browser would run what stands in an HTML file.
        media_type="application/octet-stream",
        filename=document.name,
    )


@router.get("/documents/{document_id}/text", responses=raises(DocumentVersionNotFound))
def read_text(
    document_id: DocumentId,
    user: Reader,
    database: DatabaseOf,
    start: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    length: Annotated[int, Query(ge=1, le=service.LONGEST_TEXT)] = 10_000,
) -> TextOut:
    """A part of the text that a search looks through."""
    with database.read() as session:
        return service.read_text(session, user.id, document_id, start=start, length=length)


@router.get("/documents/{document_id}/versions", responses=raises(DocumentNotFound))
def list_versions(document_id: DocumentId, user: Reader, database: DatabaseOf) -> list[VersionOut]:
    """Newest first."""
    with database.read() as session:
        return service.list_versions(session, user.id, document_id)


@router.post(
    "/documents/{document_id}/versions/{number}/restore",
    responses=raises(
        DocumentNotFound, DocumentVersionNotFound, DocumentTaken, StorageLimitReached, FilesUnusable
    ),
)
def restore(
    document_id: DocumentId,
    number: VersionNumber,
    user: Writer,
    database: DatabaseOf,
    files: FilesOf,
    settings: SettingsOf,
    wake: Wake,
) -> DocumentOut:
    """Makes the file of an earlier version the newest version."""
    made = service.restore(database, files, settings, user.id, document_id, number)
    wake()
    return made


@router.post("/documents/{document_id}/cancel", responses=raises(DocumentNotFound, NothingToCancel))
def cancel(document_id: DocumentId, user: Writer, database: DatabaseOf) -> DocumentOut:
    """Stops the newest version on its way. The one before serves on."""
    with database.begin() as session:
        return service.cancel(session, user.id, document_id)


@router.post("/documents/{document_id}/retry", responses=raises(DocumentNotFound, NothingToRetry))
def retry(document_id: DocumentId, user: Writer, database: DatabaseOf, wake: Wake) -> DocumentOut:
    """Begins anew with a version that failed or was cancelled."""
    with database.begin() as session:
        made = service.retry(session, user.id, document_id)
    wake()
    return made


@router.get(
    "/documents/{document_id}/events",
    response_class=EventStream,
    responses={**raises(DocumentNotFound, TooManyWatchers), **EVENTS},
)
def watch(
    document_id: DocumentId, user: Reader, database: DatabaseOf, request: Request
) -> EventStream:
    """How far the newest version is, as server-sent events: `document`, at each change, with the
    document as it is then. The stream ends when there is nothing more to come, or after a minute;
    an EventSource connects again by itself."""

    def look() -> DocumentOut:
        with database.read() as session:
            return service.require(session, user.id, document_id)

    watchers = request.app.state.watchers
    return EventStream(
        events.stream(look, watchers, request.app.state.stopping), close=watchers.leave
    )
