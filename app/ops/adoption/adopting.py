"""The adoption as a whole. It may be cut off at any point, and a second one adds nothing twice."""

from pathlib import Path

from app.db import engine, locks
from app.db.imports import require_finished
from app.db.init import require_head
from app.db.session import Database
from app.errors import InvalidInput, NotFound
from app.knowledge.files import Files
from app.ops.adoption import documents, searches
from app.ops.adoption.documents import Target
from app.ops.adoption.results import Adopted
from app.ops.adoption.tables import DOCUMENTS, QUERIES, STAYING, OldTables
from app.settings import Settings

LOCK_PATIENCE_S = 5.0


NEXT = (
    "documents and searches of the knowledge space are kept in schema legacy: `mindgraph knowledge "
    "adopt` takes them over, with --files FOLDER where the old program's files are"
)


class NothingOld(NotFound):
    """This database has no documents or searches from before PostgreSQL."""


def adopt(settings: Settings, folder: Path | None, *, is_dry_run: bool = False) -> Adopted:
    """Makes old documents and searches new ones.

    Args:
        settings: the service's; the database is theirs, and the folder for files.
        folder: has the old files, as the old program kept them; None when they are lost.
        is_dry_run: nothing is changed.

    Raises:
        NothingOld: there is nothing that could be taken over.
        InvalidInput: there is no such folder.
        LockTimeout: another process does so.
        SchemaDiffers, ImportUnfinished: the database isn't ready for it.
        FilesUnusable, Unavailable: it ended before its time; what was done stays.
    """
    if folder is not None and not folder.is_dir():
        raise InvalidInput(f"there is no folder {folder}")
    # Of the owner, who alone sees what an import has kept.
    direct = engine.build_direct(settings, name="adopt")
    database = Database(direct)
    try:
        with locks.exclusive(direct, timeout_s=LOCK_PATIENCE_S, key=locks.ADOPTION_KEY):
            return _adopt(settings, database, folder, Adopted(is_dry_run))
    finally:
        database.close()


def _adopt(settings: Settings, database: Database, folder: Path | None, done: Adopted) -> Adopted:
    with database.read() as session:
        require_head(session.connection())
        require_finished(session.connection())
    old = OldTables(database)
    if not (old.exists(DOCUMENTS) or old.exists(QUERIES)):
        raise NothingOld
    if not done.is_dry_run:
        old.ensure_notes()
    target = Target(database, Files(settings.files_dir), settings, folder)
    documents.adopt(old, target, done)
    searches.adopt(old, database, settings.knowledge_history_days, done)
    done.stays = {name: rows for name in STAYING if (rows := old.count(name))}
    return done
