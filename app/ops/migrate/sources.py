"""Which file an import reads: the one that was named, or a snapshot of it."""

import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.db.sqlite import files
from app.errors import Conflict
from app.ops.migrate import snapshots
from app.ops.migrate.source import Source, fingerprint, opened
from app.ops.migrate.state import State
from app.ops.migrate.workers import SourceChanged, Workers

__all__ = ["Chosen", "SourceDiffers", "choose", "fingerprint"]

# Two changes within one tick of the file system's clock look like one; this is many ticks.
SETTLED_S = 0.1


class SourceDiffers(Conflict):
    """The file isn't as the interrupted import has read it."""


@dataclass(frozen=True)
class Chosen:
    """An open file, and processes that have it open in the same state.

    `named` is what was asked for and `fingerprint` what it was then. `place` is for a snapshot.
    """

    named: Path
    fingerprint: str
    place: Path
    file: Path
    source: Source
    workers: Workers
    bytes: int
    remarks: tuple[str, ...] = ()

    @property
    def is_snapshot(self) -> bool:
        return self.file != self.named.resolve()

    @property
    def snapshot(self) -> str:
        """The fingerprint of the snapshot; empty when none is read."""
        return fingerprint(self.file) if self.is_snapshot else ""

    @property
    def has_changed(self) -> bool:
        """Whether somebody wrote to the file that was named since it was opened."""
        return fingerprint(self.named) != self.fingerprint

    @contextmanager
    def unchanged(self) -> Iterator[Path]:
        """A file with the very rows that were read, whoever has written to it since.

        Who reads it opens it anew, and would see what was written.
        """
        if self.is_snapshot or not self.has_changed:
            yield self.file
            return
        try:
            yield snapshots.copy(self.source, self.place.parent, self.place.name).file
        finally:
            snapshots.remove(self.place)

    def forget(self) -> None:
        """Deletes the snapshot, if there is one."""
        if self.is_snapshot:
            snapshots.remove(self.file)
        snapshots.remove(self.place)


def place(path: Path, target: str) -> Path:
    """Where the snapshot of a file is made: always there, so that none is left over for good.

    Args:
        path: the file.
        target: the name of the database that it goes to, where one import runs at a time.
    """
    file = path.resolve()
    digest = hashlib.sha256(target.encode()).hexdigest()[:8]
    return _folder(file) / f"{file.name}.snapshot-{digest}"


def require(path: Path) -> None:
    """Raises SourceUnusable for what is no SQLite file. Damage isn't looked for."""
    with opened(path, checked=True):
        pass


def choose(path: Path, target: str, jobs: int, stack: ExitStack) -> Chosen:
    """Opens a file, for as long as the stack is open.

    One in WAL mode is read where it is, if nobody writes to it just now. Else a snapshot is made:
    with the old kind of journal its owner's commits would have to wait for the whole import.

    Raises:
        SourceUnusable: as `opened`.
    """
    found, is_settled = fingerprint(path), _is_settled(path.resolve())
    where = place(path, target)
    with ExitStack() as own:
        source = own.enter_context(opened(path))
        if _mode(source.connection) == "wal" and is_settled:
            try:
                workers = own.enter_context(Workers(source.file, found, jobs))
                stack.push(own.pop_all())
                size = files.size(source.file)
                return Chosen(path, found, where, source.file, source, workers, size)
            except SourceChanged:
                pass
        made = snapshots.copy(source, where.parent, where.name)
    source = stack.enter_context(opened(made.file, checked=True))
    workers = stack.enter_context(Workers(made.file, fingerprint(made.file), jobs))
    megabytes = made.bytes // files.MB
    remark = f"a snapshot of the file was read: {megabytes} MB, made in {made.seconds:.1f} s"
    return Chosen(path, found, where, made.file, source, workers, made.bytes, (remark,))


def again(path: Path, target: str, interrupted: State, jobs: int, stack: ExitStack) -> Chosen:
    """Opens what an interrupted import has read.

    Raises:
        SourceUnusable: as `opened`.
        SourceDiffers: it isn't there any more, or not as it was.
    """
    found = fingerprint(path)
    if path.resolve() != Path(interrupted.source) and found != interrupted.fingerprint:
        raise SourceDiffers(
            f"the import that was interrupted is of {interrupted.source}, not of {path}: "
            f"name that file, or begin anew by --restart"
        )
    if interrupted.snapshot:
        file, expected = Path(interrupted.file), interrupted.snapshot
    else:
        file, expected = path.resolve(), interrupted.fingerprint
    changed = SourceDiffers(
        f"{file} has changed since the import was interrupted, or is gone: begin anew by --restart"
    )
    if fingerprint(file) != expected:
        raise changed
    source = stack.enter_context(opened(file, checked=True))
    try:
        workers = stack.enter_context(Workers(file, expected, jobs))
    except SourceChanged as error:
        raise changed from error
    return Chosen(
        named=path,
        fingerprint=interrupted.fingerprint,
        place=place(path, target),
        file=file,
        source=source,
        workers=workers,
        bytes=files.size(file),
    )


def forget(interrupted: State, chosen: Chosen) -> None:
    """Deletes the snapshot of an import that nobody goes on with any more."""
    if interrupted.snapshot and interrupted.file != str(chosen.file):
        snapshots.remove(Path(interrupted.file))


def _mode(connection: sqlite3.Connection) -> str:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def _is_settled(file: Path) -> bool:
    """Whether the next change to it will have another time than the last one."""
    written = [one.stat() for one in (file, files.journal(file)) if files.size(one)]
    return all(time.time() - one.st_mtime > SETTLED_S for one in written)


def _folder(file: Path) -> Path:
    """Beside the file, where there is most likely room for another one, or for temporary files."""
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            return file.parent
    except OSError:
        return Path(tempfile.gettempdir()).resolve()
