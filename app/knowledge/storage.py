"""Which files are needed, as the versions in the database say."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import structlog

from app.db.session import Database
from app.errors import Conflict, NotFound, Unavailable
from app.knowledge import queries
from app.knowledge.files import Files, Incoming

log = structlog.get_logger(__name__)


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

    def needed(some: Collection[str]) -> set[str]:
        with database.read() as session:
            return queries.needed_files(session, some)

    return files.delete_unneeded(hashes, needed)


def discard(database: Database, files: Files, hashes: Collection[str]) -> None:
    """As `delete`; what can't be deleted now goes with the next cleaning."""
    try:
        delete(database, files, hashes)
    except Unavailable as error:
        log.warning("files that nobody needs stay for now", reason=error.detail)
