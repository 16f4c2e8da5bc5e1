"""Old documents: each becomes a new one that a worker reads, as if it had been uploaded."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from app import clock
from app.db.session import Database
from app.knowledge import queries, service
from app.knowledge.errors import FileRefused
from app.knowledge.extraction import kinds
from app.knowledge.files import Files
from app.knowledge.schemas import Detail
from app.knowledge.service import LONGEST_NAME, Upload
from app.ops.adoption import old_files, passages, tables, values
from app.ops.adoption.old_files import Unreadable
from app.ops.adoption.passages import Passage
from app.ops.adoption.results import Adopted, Left
from app.ops.adoption.tables import DOCUMENTS, Note, OldTables, Row
from app.ops.adoption.values import NotJson
from app.settings import Settings
from app.users import service as users

# With all of their passages in memory.
PAGE = 50
PIECE = 1024 * 1024
COLUMNS = (
    "id",
    "space_id",
    "file_name",
    "file_path",
    "tags",
    "category",
    "language",
    "custom_fields",
    "doc_metadata",
    "created_at",
)
# What is remembered as a detail: columns, and JSON with names of its own.
OF_ITSELF = ("category", "language")
OF_CLIENTS = ("custom_fields", "doc_metadata")
OF_PASSAGES = ("id", "chunk_index", "text", "start_char", "end_char")
TEXT_NAMES = kinds.MARKDOWN_NAMES | {".txt"}


class Unusable(Exception):
    """An old document that can't be taken over; the message says why."""


@dataclass(frozen=True)
class Target:
    """Where documents go. `folder` has the old files, if somebody still has them."""

    database: Database
    files: Files
    settings: Settings
    folder: Path | None


@dataclass(frozen=True)
class Content:
    """A file, or a text in its place."""

    name: str
    file: Path | None
    text: bytes = b""

    def parts(self) -> Iterator[bytes]:
        """Raises Unreadable."""
        if self.file is None:
            yield self.text
            return
        try:
            with self.file.open("rb") as file:
                while part := file.read(PIECE):
                    yield part
        except OSError as error:
            raise Unreadable(f"its file can't be read: {error.strerror}") from error


@dataclass(frozen=True)
class Found:
    """An old document with its owner, and what a new one is made from."""

    id: int
    owner: int
    title: str
    content: Content
    tags: list[str]
    details: Mapping[str, Detail]
    created_at: datetime


def adopt(old: OldTables, target: Target, done: Adopted) -> None:
    """Takes over what wasn't yet, and adds to `done` what was done.

    Raises:
        FilesUnusable: the server can't store files.
        Unavailable: the database. What was taken over stays so.
    """
    _Adoption(old, target, done).run()


class _Adoption:
    def __init__(self, old: OldTables, target: Target, done: Adopted) -> None:
        self._old = old
        self._target = target
        self._done = done
        # Of a dry run: whose it would be, and the hash.
        self._taken: set[tuple[int, str]] = set()
        self._new: Counter[int] = Counter()

    def run(self) -> None:
        for rows in self._old.pages(DOCUMENTS, COLUMNS, PAGE):
            before = self._old.noted(DOCUMENTS, [row["id"] for row in rows])
            self._done.before += len(before)
            self._page([row for row in rows if row["id"] not in before])
        self._tell_quotas()

    def _page(self, rows: Sequence[Row]) -> None:
        owners = self._owners(rows)
        ids = [row["id"] for row in rows]
        pieces = self._old.of(tables.PASSAGES, "document_id", ids, OF_PASSAGES)
        for row in rows:
            try:
                found = self._found(row, _owner(owners, row), pieces[row["id"]])
                is_new = self._would_be_new(found) if self._done.is_dry_run else self._take(found)
            except (Unusable, Unreadable) as error:
                self._done.left.append(Left(DOCUMENTS, row["id"], str(error)))
            else:
                self._count(found, is_new=is_new)

    def _owners(self, rows: Sequence[Row]) -> dict[int, int | None]:
        """Whose each space is; None for somebody who is gone."""
        ids = {one for row in rows if (one := values.whole(row["space_id"])) is not None}
        spaces = self._old.of(tables.SPACES, "id", ids, ["user_id"])
        wanted = {one: values.whole(found[0]["user_id"]) for one, found in spaces.items() if found}
        with self._target.database.read() as session:
            there = users.logins(session, {one for one in wanted.values() if one is not None})
        return {space: one if one in there else None for space, one in wanted.items()}

    def _found(self, row: Row, owner: int, pieces: Sequence[Row]) -> Found:
        content = self._content(row, pieces)
        created_at = values.moment(row["created_at"])
        if created_at is None:
            self._tell(row, "its date can't be understood; it is that of today")
        return Found(
            id=row["id"],
            owner=owner,
            title=_name(row),
            content=content,
            tags=self._tags(row),
            details=self._details(row),
            created_at=created_at or clock.now(),
        )

    def _content(self, row: Row, pieces: Sequence[Row]) -> Content:
        """Its file; a text put together where there is none, or none that can be read here."""
        name, folder = _name(row), self._target.folder
        file = old_files.find(folder, values.text(row["file_path"])) if folder else None
        if file and not (pieces and self._is_refused(file, name)):
            return Content(name, file)
        text = passages.put_together(_passage(one) for one in pieces)
        if text:
            ending = "" if PurePosixPath(name).suffix.lower() in TEXT_NAMES else ".txt"
            return Content(name[: LONGEST_NAME - len(ending)] + ending, None, text.encode())
        if file:
            # Its owner sees why it can't be read, and has it still.
            return Content(name, file)
        raise Unusable("it has neither a file nor passages")

    def _is_refused(self, file: Path, name: str) -> bool:
        try:
            kinds.detect(file, name, self._target.settings.extraction_unpacked_limit_mb)
        except FileRefused:
            return True
        return False

    def _tags(self, row: Row) -> list[str]:
        try:
            fitting, unfit = values.tags(values.parsed(row["tags"]))
        except NotJson:
            fitting, unfit = [], 1
        if unfit:
            self._tell(row, "some of its tags don't fit")
        return fitting

    def _details(self, row: Row) -> dict[str, Detail]:
        own = {one: row[one] for one in OF_ITSELF if isinstance(row[one], str) and row[one].strip()}
        fitting, unfit = values.details(own, *(self._fields(row, one) for one in OF_CLIENTS))
        if unfit:
            self._tell(row, f"details that don't fit: {', '.join(unfit)[:200]}")
        return fitting

    def _fields(self, row: Row, name: str) -> dict[str, object]:
        try:
            found = values.parsed(row[name])
        except NotJson:
            found = name
        if isinstance(found, dict):
            return found
        if found is not None:
            self._tell(row, f"{name} can't be understood")
        return {}

    def _tell(self, row: Row, what: str) -> None:
        self._done.unfit.append(Left(DOCUMENTS, row["id"], what))

    def _take(self, found: Found) -> bool:
        database = self._target.database
        with self._stored(found) as upload, database.begin() as session:
            document_id, is_new = service.adopt(session, found.owner, upload)
            self._old.note(session, DOCUMENTS, [Note(found.id, document_id)])
        return is_new

    @contextmanager
    def _stored(self, found: Found) -> Iterator[Upload]:
        """Its file is in its place for the block."""
        files = self._target.files
        with files.receiving() as incoming:
            for part in found.content.parts():
                incoming.write(part)
            with files.keeping(incoming):
                yield Upload(
                    file=incoming,
                    name=found.content.name,
                    title=found.title,
                    tags=found.tags,
                    details=found.details,
                    created_at=found.created_at,
                )

    def _would_be_new(self, found: Found) -> bool:
        digest = hashlib.sha256()
        for part in found.content.parts():
            digest.update(part)
        key = found.owner, digest.hexdigest()
        with self._target.database.read() as session:
            is_new = key not in self._taken and queries.find_by_content(session, *key) is None
        self._taken.add(key)
        return is_new

    def _count(self, found: Found, *, is_new: bool) -> None:
        if not is_new:
            self._done.same += 1
            return
        self._new[found.owner] += 1
        if found.content.file:
            self._done.from_files += 1
        else:
            self._done.from_passages += 1

    def _tell_quotas(self) -> None:
        """Who has more than may be uploaded; nothing is taken from them."""
        quota = self._target.settings.knowledge_document_quota
        for owner, new in sorted(self._new.items()):
            with self._target.database.read() as session:
                there = queries.count(session, owner)
            if there + (new if self._done.is_dry_run else 0) > quota:
                self._done.over_quota.append(owner)


def _owner(owners: Mapping[int, int | None], row: Row) -> int:
    space = values.whole(row["space_id"])
    if space is None or space not in owners:
        raise Unusable("its space is gone")
    owner = owners[space]
    if owner is None:
        raise Unusable("its user is gone")
    return owner


def _name(row: Row) -> str:
    given = values.text(row["file_name"]).strip() or values.text(row["file_path"])
    name = PurePosixPath(given.replace("\\", "/")).name.strip() or "unnamed"
    ending = PurePosixPath(name).suffix[:20]
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - len(ending)] + ending


def _passage(row: Row) -> Passage:
    return Passage(
        id=row["id"],
        index=values.whole(row["chunk_index"]),
        text=values.text(row["text"]),
        start=values.whole(row["start_char"]),
        end=values.whole(row["end_char"]),
    )
