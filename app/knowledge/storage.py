"""Which files are needed, as the versions in the database say."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice

import structlog

from app.db.session import Database
from app.errors import Conflict, NotFound, Unavailable
from app.knowledge import queries
from app.knowledge.files import Files, Incoming

log = structlog.get_logger(__name__)

# Time to restore a database that is lost, or older than the files, before these are deleted.
GRACE_S = 7 * 86_400.0
BATCH = 500


@contextmanager
def keeping(database: Database, files: Files, incoming: Incoming) -> Iterator[None]:
    """As `files.keeping`. The file of an upload that is refused in the block takes no room."""
    try:
        with files.keeping(incoming):
            yield
    except (Conflict, NotFound):
        discard(database, files, [incoming.sha256])
        raise


def delete(database: Database, files: Files, hashes: Collection[str]) -> int:
    """Deletes those of the files that no version needs; how many. Raises FilesUnusable."""
    return files.delete_unneeded(hashes, partial(_needed, database))


def expire(database: Database, files: Files) -> list[str]:
    """Deletes the files that no version has needed for `GRACE_S`; which. Raises FilesUnusable.

    None while the database knows no version at all: it may not be restored yet.
    """
    needed = partial(_needed, database)
    gone: list[str] = []
    hashes = files.list_()
    while batch := list(islice(hashes, BATCH)):
        with database.read() as session:
            is_empty = not queries.has_versions(session)
        # An upload on its way has told who needs its file when this is known.
        if is_empty and files.list_unneeded(batch, needed):
            log.error(
                "there are files, but no document: restore the database, or delete the files with "
                "`mindgraph knowledge check --fix`"
            )
            break
        gone += files.expire(batch, needed, GRACE_S)
    return gone


def discard(database: Database, files: Files, hashes: Collection[str]) -> None:
    """As `delete`; what can't be deleted now goes with a cleaning, after its grace."""
    try:
        delete(database, files, hashes)
    except Unavailable as error:
        log.warning("files that nobody needs stay for now", reason=error.detail)


def _needed(database: Database, hashes: Collection[str]) -> set[str]:
    with database.read() as session:
        return queries.needed_files(session, hashes)
