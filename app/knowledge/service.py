"""Documents: what comes in, changes and goes. What it takes to make them found is the worker's."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, get_args

from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.http import pagination
from app.http.pagination import Page
from app.knowledge import claim_queries, claims, queries, quota, states, storage
from app.knowledge.errors import (
    DocumentNotFound,
    DocumentTaken,
    DocumentVersionNotFound,
    NothingToCancel,
    NothingToRetry,
)
from app.knowledge.files import Files, Incoming
from app.knowledge.models import Document, Version
from app.knowledge.schemas import (
    Backlog,
    Detail,
    DocumentFilter,
    DocumentOut,
    DocumentPatch,
    Holdings,
    TextOut,
    VersionOut,
)
from app.settings import Settings
from app.users import service as users

LONGEST_NAME = 255
LONGEST_TEXT = 100_000

DocumentPage = Page[DocumentOut]


class Upload(NamedTuple):
    """A file that has come in, and what was said about it."""

    file: Incoming
    name: str
    title: str | None = None
    tags: Collection[str] = ()
    details: Mapping[str, Detail] = MappingProxyType({})
    # When it was uploaded; None is now.
    created_at: datetime | None = None


def add(
    database: Database, files: Files, settings: Settings, user_id: int, upload: Upload
) -> tuple[DocumentOut, bool]:
    """Stores a file as a new document; the document, and whether it is new.

    The same file again is the document that there is; one that had failed is tried again.

    Raises:
        DocumentLimitReached, StorageLimitReached, FilesUnusable.
    """
    with storage.keeping(database, files, upload.file), database.begin() as session:
        users.lock(session, user_id)
        present = queries.find_by_content(session, user_id, upload.file.sha256)
        if present is not None:
            _try_again(session, user_id, present.id)
            return require(session, user_id, present.id), False
        quota.require_document(session, settings, user_id)
        quota.require_space(session, settings, user_id, upload.file.size)
        document_id = _insert(session, user_id, upload)
        return require(session, user_id, document_id), True


def adopt(session: Session, user_id: int, upload: Upload) -> tuple[str, bool]:
    """As `add`, whatever the quotas, for what was somebody's before; its id, and whether it is new.

    The caller keeps the file in its place until the transaction is committed.
    """
    users.lock(session, user_id)
    present = queries.find_by_content(session, user_id, upload.file.sha256)
    if present is not None:
        return present.id, False
    return _insert(session, user_id, upload), True


def replace(
    database: Database,
    files: Files,
    settings: Settings,
    user_id: int,
    document_id: str,
    upload: Upload,
) -> DocumentOut:
    """Stores a file as the next version of a document; the one that serves does so until then.

    Raises:
        DocumentNotFound, DocumentTaken, StorageLimitReached, FilesUnusable.
    """
    with storage.keeping(database, files, upload.file), database.begin() as session:
        users.lock(session, user_id)
        document = _lock(session, user_id, document_id)
        sha256 = upload.file.sha256
        if document.sha256 == sha256:
            _try_again(session, user_id, document_id)
            return require(session, user_id, document_id)
        _require_other_content(session, user_id, sha256)
        quota.require_space(session, settings, user_id, upload.file.size)
        _add_version(session, document, sha256, upload.file.size)
        queries.change(session, document_id, name=upload.name)
        _trim(session, settings, document_id)
        return require(session, user_id, document_id)


def restore(
    database: Database,
    files: Files,
    settings: Settings,
    user_id: int,
    document_id: str,
    number: int,
) -> DocumentOut:
    """Makes the file of an earlier version the newest one.

    Raises:
        DocumentNotFound, DocumentVersionNotFound, DocumentTaken, StorageLimitReached.
        FilesUnusable.
    """
    with files.held(), database.begin() as session:
        users.lock(session, user_id)
        document = _lock(session, user_id, document_id)
        earlier = queries.lock_version(session, document_id, number)
        if earlier is None:
            raise DocumentVersionNotFound
        if document.sha256 == earlier.sha256:
            _try_again(session, user_id, document_id)
            return require(session, user_id, document_id)
        _require_other_content(session, user_id, earlier.sha256)
        quota.require_space(session, settings, user_id, earlier.size)
        _add_version(session, document, earlier.sha256, earlier.size)
        _trim(session, settings, document_id)
        return require(session, user_id, document_id)


def require(session: Session, user_id: int, document_id: str) -> DocumentOut:
    """One's document. Raises DocumentNotFound, also for somebody else's."""
    found = queries.find(session, user_id, document_id)
    if found is None:
        raise DocumentNotFound
    return found


def change(session: Session, user_id: int, document_id: str, patch: DocumentPatch) -> DocumentOut:
    """Sets the fields that the patch has. Raises DocumentNotFound."""
    _lock(session, user_id, document_id)
    values = patch.model_dump(exclude_unset=True)
    tags = values.pop("tags", None)
    if tags is not None:
        queries.set_tags(session, document_id, tags)
    queries.change(session, document_id, updated_at=clock.now(), **values)
    return require(session, user_id, document_id)


def cancel(session: Session, user_id: int, document_id: str) -> DocumentOut:
    """Stops the newest version on its way; an earlier one serves on.

    Raises:
        DocumentNotFound, NothingToCancel.
    """
    document = _lock(session, user_id, document_id)
    version = queries.lock_version(session, document_id, document.newest)
    if version is None or version.state not in states.UNFINISHED:
        raise NothingToCancel
    claim_queries.delete_chunks(session, version.id)
    gone_at = claims.released_at(version.claimed_until)
    claim_queries.add_removals(session, {version.id: gone_at})
    _end(version, states.CANCELLED)
    session.flush()
    return require(session, user_id, document_id)


def retry(session: Session, user_id: int, document_id: str) -> DocumentOut:
    """Begins anew with a newest version that failed or was cancelled.

    Raises:
        DocumentNotFound, NothingToRetry.
    """
    _lock(session, user_id, document_id)
    if not _try_again(session, user_id, document_id):
        raise NothingToRetry
    return require(session, user_id, document_id)


def delete(session: Session, user_id: int, document_id: str) -> list[str]:
    """Deletes a document for good; the files that may be needed no longer.

    Raises:
        DocumentNotFound.
    """
    users.lock(session, user_id)
    _lock(session, user_id, document_id)
    doomed = queries.list_files(session, [document_id])
    _delete(session, document_id)
    return doomed


def delete_all_of(session: Session, user_id: int) -> list[str]:
    """Deletes all documents of a user, who is locked so that none is added meanwhile; the files
    that may be needed no longer. A worker deletes their points when Qdrant is there."""
    doomed = queries.list_files_of(session, user_id)
    for document_id in queries.list_all_ids(session, user_id):
        queries.lock(session, user_id, document_id)
        _delete(session, document_id)
    # After the versions, as whoever claims one does.
    claim_queries.delete_turn(session, user_id)
    return doomed


def discard_files(database: Database, files: Files, hashes: Collection[str]) -> None:
    """Deletes those of the files that no version needs, once what needed them is gone."""
    storage.discard(database, files, hashes)


def count(session: Session, user_id: int) -> int:
    return queries.count(session, user_id)


def list_page(
    session: Session, user_id: int, chosen: DocumentFilter, *, limit: int, cursor: str | None
) -> DocumentPage:
    """One's documents, newest first. Raises InvalidCursor."""
    before = pagination.decode(cursor, datetime, str) if cursor else None
    found = queries.list_page(session, user_id, chosen, limit + 1, before)
    items = found[:limit]
    if len(found) <= limit:
        return DocumentPage(items=items, next_cursor=None)
    return DocumentPage(
        items=items, next_cursor=pagination.encode(items[-1].created_at, items[-1].id)
    )


def list_versions(session: Session, user_id: int, document_id: str) -> list[VersionOut]:
    """Newest first. Raises DocumentNotFound."""
    found = queries.list_versions(session, user_id, document_id)
    if not found:
        raise DocumentNotFound
    return found


def require_version(
    session: Session, user_id: int, document_id: str, number: int | None
) -> Version:
    """A version; by default the one that serves, or the newest. Raises DocumentVersionNotFound."""
    found = queries.find_version(session, user_id, document_id, number)
    if found is None:
        raise DocumentVersionNotFound
    return found


def read_text(
    session: Session, user_id: int, document_id: str, *, start: int, length: int
) -> TextOut:
    """A part of the text of the version that serves.

    Raises:
        DocumentVersionNotFound: also while none serves.
    """
    version = queries.find_version(session, user_id, document_id, None)
    if version is None or version.state != states.READY:
        raise DocumentVersionNotFound
    characters = version.characters or 0
    start = min(start, characters)
    end = min(start + length, characters)
    # Between two chunks there is only white space, which is put in its place again.
    text = [" "] * (end - start)
    for begins, content in queries.read_chunks(session, version.id, start, end):
        first = max(begins, start)
        part = content[first - begins : end - begins]
        text[first - start : first - start + len(part)] = part
    return TextOut(
        version=version.number, start=start, end=end, characters=characters, text="".join(text)
    )


def holdings(session: Session, settings: Settings, user_id: int) -> Holdings:
    return Holdings(
        documents=queries.count(session, user_id),
        document_quota=settings.knowledge_document_quota,
        size=queries.size(session, user_id),
        size_quota=settings.knowledge_storage_quota_mb * 1024 * 1024,
        chunks=claim_queries.count_chunks_of(session, user_id),
        chunk_quota=settings.knowledge_chunk_quota,
        tags=queries.count_tags(session, user_id),
    )


def backlog(session: Session) -> Backlog:
    """How far the documents of all users are, and how long some have waited for a worker."""
    now = clock.now()
    first = claim_queries.first_due(session, now)
    return Backlog(
        states=dict.fromkeys(get_args(states.State), 0) | claim_queries.count_states(session),
        waiting=claim_queries.count_due(session, now),
        oldest_s=(now - first).total_seconds() if first else 0.0,
    )


def _lock(session: Session, user_id: int, document_id: str) -> Document:
    document = queries.lock(session, user_id, document_id)
    if document is None:
        raise DocumentNotFound
    return document


def _insert(session: Session, user_id: int, upload: Upload) -> str:
    now = upload.created_at or clock.now()
    document = Document(
        id=str(uuid.uuid4()),
        user_id=user_id,
        name=upload.name,
        title=upload.title or upload.name,
        sha256=upload.file.sha256,
        details=dict(upload.details),
        newest=1,
        created_at=now,
        updated_at=now,
    )
    version = _version(document.id, 1, upload.file.sha256, upload.file.size)
    version.created_at = now
    queries.add(session, document, version)
    queries.set_tags(session, document.id, upload.tags)
    return document.id


def _add_version(session: Session, document: Document, sha256: str, size: int) -> None:
    number = document.newest + 1
    queries.add_version(session, _version(document.id, number, sha256, size))
    queries.change(session, document.id, newest=number, sha256=sha256, updated_at=clock.now())


def _version(document_id: str, number: int, sha256: str, size: int) -> Version:
    now = clock.now()
    return Version(
        id=str(uuid.uuid4()),
        document_id=document_id,
        number=number,
        sha256=sha256,
        size=size,
        state=states.QUEUED,
        due_at=now,
        created_at=now,
    )


def _require_other_content(session: Session, user_id: int, sha256: str) -> None:
    if queries.find_by_content(session, user_id, sha256) is not None:
        raise DocumentTaken


def _try_again(session: Session, user_id: int, document_id: str) -> bool:
    """Queues the newest version anew where it had stopped; whether it had."""
    document = _lock(session, user_id, document_id)
    version = queries.lock_version(session, document_id, document.newest)
    if version is None or version.state not in states.STOPPED:
        return False
    # Under another id: the worker that had it when it was cancelled may still write points, and
    # those that it wrote are yet to be deleted.
    queries.delete_versions(session, [version.id])
    queries.add_version(
        session, _version(document_id, version.number, version.sha256, version.size)
    )
    return True


def _trim(session: Session, settings: Settings, document_id: str) -> None:
    """Forgets the oldest versions; a cleaning deletes their files, after their grace."""
    queries.delete_superfluous(session, document_id, settings.knowledge_version_limit - 1)


def _delete(session: Session, document_id: str) -> None:
    live = queries.list_live(session, document_id)
    gone = {one.id: claims.released_at(one.claimed_until) for one in live}
    claim_queries.add_removals(session, gone)
    queries.delete_document(session, document_id)


def _end(version: Version, state: states.State) -> None:
    version.state = state
    version.claim = None
    version.due_at = None
    version.chunks = version.embedded = 0
    version.finished_at = clock.now()
