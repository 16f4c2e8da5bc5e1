"""What administrators do with the knowledge space."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.db import engine, locks
from app.db.session import Database
from app.embedders.gate import Gate
from app.embedders.pool import Embedders
from app.knowledge import evaluation, reindexing
from app.knowledge.evaluation import Quality, Question
from app.knowledge.files import Files
from app.knowledge.search import Searcher
from app.knowledge.tools import Tools
from app.settings import Settings
from app.users import service as users
from app.users.errors import UserNotFound
from app.vectors import client
from app.vectors.guard import Guard

THREADS = 2
# Another one goes on for hours with a large database.
LOCK_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Reindexed:
    """The index that serves now."""

    passages: int
    model: str
    dimension: int


@contextmanager
def tools(settings: Settings) -> Iterator[Tools]:
    """What the operations work with, for the block.

    Raises:
        QdrantUnavailable: with the embedded Qdrant, while another process has it.
    """
    database = Database(engine.build(settings, name="knowledge", threads=THREADS))
    embedders = Embedders(settings)
    try:
        qdrant = client.build(settings)
        try:
            files = Files(settings.files_dir)
            yield Tools(database, qdrant, files, embedders, settings)
        finally:
            qdrant.close()
    finally:
        embedders.close()
        database.close()


def evaluate(tools: Tools, login: str, questions: Sequence[Question]) -> list[Quality]:
    """Asks the questions of the documents of whoever has this login name.

    Raises:
        UserNotFound.
    """
    with tools.database.read() as session:
        user = users.get_by_login(session, login)
    if user is None:
        raise UserNotFound
    searcher = Searcher(tools.database, tools.qdrant, tools.embedders, Gate(1), Guard(1))
    return evaluation.evaluate(searcher, user.id, questions)


def reindex(tools: Tools, report: Callable[[int, int], None]) -> Reindexed:
    """Builds the search index anew, with the embedder that the settings name.

    Raises:
        LockTimeout: another process does so.
        As `reindexing.reindex`.
    """
    done = 0

    def note(now: int, total: int) -> None:
        nonlocal done
        done = now
        report(now, total)

    direct = engine.build_direct(tools.settings, name="reindex")
    embedder = tools.embedders.chosen()
    try:
        with locks.exclusive(direct, timeout_s=LOCK_PATIENCE_S, key=locks.REINDEX_KEY):
            made = reindexing.reindex(tools, embedder, note)
    finally:
        embedder.close()
        direct.dispose()
    return Reindexed(done, made.model, made.dimension)
