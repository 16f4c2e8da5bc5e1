"""Which file an import reads: the one that was named, or a snapshot of it."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.db.sqlite import files
from app.errors import Conflict
from app.ops.migrate import snapshots
from app.ops.migrate.source import Source, SourceUnusable, fingerprint, opened
from app.ops.migrate.state import State
from app.ops.migrate.workers import SourceChanged, Workers

__all__ = ["Chosen", "SourceDiffers", "choose", "fingerprint"]


class SourceDiffers(Conflict):
    """The file isn't as the interrupted import has read it."""


@dataclass(frozen=True)
class Chosen:
    """An open file, and processes that have it open in the same state.

    `fingerprint` is that of the file that was named.
    """

    file: Path
    fingerprint: str
    source: Source
    workers: Workers
    bytes: int
    is_snapshot: bool
    remarks: tuple[str, ...] = ()

    @contextmanager
    def unchanged(self) -> Iterator[Path]:
        """A file with the very rows that were read, whoever has written to it since.

        Who reads it opens it anew, and would see what was written.
        """
        if self.is_snapshot:
            yield self.file
            return
        with tempfile.TemporaryDirectory(dir=_folder(self.file), prefix="snapshot-") as folder:
            if fingerprint(self.file) == self.fingerprint:
                yield self.file
            else:
                yield snapshots.copy(self.source, Path(folder)).file

    def forget(self) -> None:
        """Deletes the snapshot, if it is one."""
        if self.is_snapshot:
            self.file.unlink(missing_ok=True)


def choose(path: Path, interrupted: State | None, jobs: int, stack: ExitStack) -> Chosen:
    """Opens a file, for as long as the stack is open.

    One in WAL mode is read where it is, if nobody writes to it just now. Else a snapshot is made:
    with the old kind of journal its owner's commits would have to wait for the whole import.

    Raises:
        SourceUnusable: as `opened`.
        SourceDiffers: an interrupted import can't go on with it.
    """
    if interrupted and Path(interrupted.source) != path.resolve():
        raise SourceDiffers(
            f"the interrupted import is of {interrupted.source}, not of {path}: name that one, or "
            f"begin anew by --restart"
        )
    if interrupted and interrupted.file != interrupted.source:
        return _again(Path(interrupted.file), interrupted, jobs, stack)
    found = fingerprint(path) if path.exists() else ""
    if interrupted and found != interrupted.fingerprint:
        raise SourceDiffers(
            f"{path} has changed since the import of it was interrupted: begin anew by --restart"
        )
    with ExitStack() as own:
        source = own.enter_context(opened(path))
        if _mode(source.connection) == "wal":
            try:
                workers = own.enter_context(Workers(path, found, jobs))
                stack.push(own.pop_all())
                return Chosen(source.file, found, source, workers, files.size(source.file), False)
            except SourceChanged:
                pass
        made = snapshots.copy(source, _folder(path))
    return _snapshot(made, found, jobs, stack)


def forget(interrupted: State) -> None:
    """Deletes the snapshot of an import that isn't gone on with."""
    if interrupted.file != interrupted.source:
        Path(interrupted.file).unlink(missing_ok=True)


def _snapshot(made: snapshots.Snapshot, found: str, jobs: int, stack: ExitStack) -> Chosen:
    source = stack.enter_context(opened(made.file, checked=True))
    workers = stack.enter_context(Workers(made.file, fingerprint(made.file), jobs))
    megabytes = made.bytes // files.MB
    remark = f"a snapshot of the file was read: {megabytes} MB, made in {made.seconds:.1f} s"
    return Chosen(made.file, found, source, workers, made.bytes, True, (remark,))


def _again(file: Path, interrupted: State, jobs: int, stack: ExitStack) -> Chosen:
    try:
        source = stack.enter_context(opened(file))
    except SourceUnusable as error:
        raise SourceDiffers(
            f"the snapshot {file} that the interrupted import has read is gone ({error}): "
            f"begin anew by --restart"
        ) from error
    workers = stack.enter_context(Workers(file, fingerprint(file), jobs))
    size = files.size(file)
    return Chosen(file, interrupted.fingerprint, source, workers, size, True)


def _mode(connection: sqlite3.Connection) -> str:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def _folder(path: Path) -> Path:
    """Beside the file, where there is most likely room for another one, or for temporary files."""
    beside = path.resolve().parent
    try:
        with tempfile.TemporaryFile(dir=beside):
            return beside
    except OSError:
        return Path(tempfile.gettempdir())
