"""Compares what must be equal: chunks with points, versions with files. It may run beside all else;
what is on its way is no difference."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar
from uuid import UUID

from app import clock
from app.knowledge import chunk_queries, claim_queries, indexes, indexing, queries, storage
from app.knowledge.chunk_queries import Index, Passage
from app.knowledge.indexing import VectorsMissing
from app.knowledge.tools import Tools
from app.vectors import points

PAGE = 500
EXAMPLES = 5

Row = TypeVar("Row")


@dataclass
class Difference:
    """What one side has and the other lacks."""

    what: str
    found: int = 0
    fixed: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, names: Iterable[object], *, fixed: int = 0) -> None:
        for name in names:
            self.found += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(str(name))
        self.fixed += fixed


@dataclass(frozen=True)
class Report:
    """The differences, and how much was compared."""

    differences: Sequence[Difference]
    chunks: int
    points: int
    files: int

    @property
    def is_clean(self) -> bool:
        return all(one.found == one.fixed for one in self.differences)


def check(tools: Tools, *, fix: bool, at_once: bool = True) -> Report:
    """Compares everything, and mends it where `fix` says so.

    Args:
        at_once: the fix deletes files that no version needs now, not after their grace. Until it is
            over they are no difference.

    Raises:
        IndexMissing, CollectionMissing: there is nothing to compare with; a reindex helps.
        Unavailable.
    """
    index = indexes.require_active(tools.database)
    superfluous, seen_points = points_without_chunks(tools, index, fix=fix)
    missing, seen_chunks = chunks_without_points(tools, index, fix=fix)
    lost, seen_files = _versions_without_files(tools)
    unneeded = _files_without_versions(tools, fix=fix, at_once=at_once)
    return Report([missing, superfluous, lost, unneeded], seen_chunks, seen_points, seen_files)


def points_without_chunks(tools: Tools, index: Index, *, fix: bool) -> tuple[Difference, int]:
    """Points of chunks that there aren't; and how many points there are."""
    difference = Difference("points without a chunk")
    seen = 0
    for page in points.scan(tools.qdrant, index.collection):
        seen += len(page)
        with tools.database.read() as session:
            known = chunk_queries.with_chunks(session, [one.id for one in page])
            # What waits to be deleted is known to be superfluous. This comes second: a chunk goes
            # in one transaction with what has its point deleted.
            leaving = claim_queries.leaving(session, {one.version_id for one in page})
        absent = [one.id for one in page if one.id not in known and one.version_id not in leaving]
        # Some may have been deleted since the page was read.
        doomed = points.existing(tools.qdrant, index.collection, absent) if absent else set()
        if doomed and fix:
            points.delete(tools.qdrant, index.collection, doomed)
        difference.note(sorted(doomed), fixed=len(doomed) if fix else 0)
    return difference, seen


def chunks_without_points(tools: Tools, index: Index, *, fix: bool) -> tuple[Difference, int]:
    """Chunks of versions that serve, without a point; and how many such chunks there are."""
    difference = Difference("chunks without a point")
    seen = 0
    after: UUID | None = None
    while True:
        with tools.database.read() as session:
            page = chunk_queries.scan_ready(session, after, PAGE)
        if not page:
            return difference, seen
        after = page[-1]
        seen += len(page)
        missing = _missing(tools, index, page)
        if missing and fix:
            write(tools, index, missing)
        names = [f"{one.document_id} chunk {one.ordinal}" for one in missing]
        difference.note(names, fixed=len(missing) if fix else 0)


def write(tools: Tools, index: Index, passages: Sequence[Passage]) -> None:
    """Writes the points of passages, which are embedded where they aren't yet.

    Raises:
        EmbedderMisconfigured, Unavailable.
    """
    for batch in batched(passages, indexing.UPSERT):
        try:
            indexing.upsert(tools, index, batch)
        except VectorsMissing:
            _embed(tools, index, batch)
            indexing.upsert(tools, index, batch)


def _embed(tools: Tools, index: Index, passages: Sequence[Passage]) -> None:
    with tools.database.read() as session:
        kept = chunk_queries.vectors(session, index, {one.embedding_key for one in passages})
    missing = [one for one in passages if one.embedding_key not in kept]
    for some in batched(missing, indexing.SLICE):
        vectors = indexing.embed_passages(tools, index, some)
        with tools.database.begin() as session:
            chunk_queries.save_vectors(session, index, vectors, clock.now())


def _missing(tools: Tools, index: Index, ids: Sequence[UUID]) -> Sequence[Passage]:
    there = points.existing(tools.qdrant, index.collection, ids)
    absent = set(ids) - there
    if not absent:
        return []
    # Once more: a version may have ended since, and its points be gone with good reason.
    with tools.database.read() as session:
        return chunk_queries.passages_of_points(session, absent)


def _versions_without_files(tools: Tools) -> tuple[Difference, int]:
    """A file that is cut off is none."""
    difference = Difference("versions without their file")
    after, seen = "", 0
    while True:
        with tools.database.read() as session:
            page = queries.scan_files(session, after, PAGE)
        if not page:
            return difference, seen
        after = page[-1][0]
        seen += len(page)
        absent = [sha256 for sha256, size in page if not tools.files.is_whole(sha256, size)]
        with tools.database.read() as session:
            still = queries.needed_files(session, absent) if absent else set()
        difference.note(sorted(still))


def _files_without_versions(tools: Tools, *, fix: bool, at_once: bool) -> Difference:
    difference = Difference("files without a version")
    if fix and not at_once:
        gone = storage.expire(tools.database, tools.files)
        difference.note(gone, fixed=len(gone))
        return difference

    def needed(some: Collection[str]) -> set[str]:
        with tools.database.read() as session:
            return queries.needed_files(session, some)

    for batch in batched(tools.files.list_(), PAGE):
        unneeded = tools.files.list_unneeded(batch, needed)
        deleted = storage.delete(tools.database, tools.files, unneeded) if fix else 0
        difference.note(unneeded, fixed=deleted)
    return difference


def batched(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Lists of `size` rows, the last of what is left."""
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch
