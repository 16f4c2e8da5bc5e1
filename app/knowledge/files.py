"""Uploaded files in a folder, named after their content.

Two uploads of the same bytes are one file. A file is deleted when no version needs it: under a lock
that uploads share from before their file is in its place until the row that needs it is committed,
so that none is deleted in between. The lock is one of the file system, for all processes that use
the folder. A mark, an empty file of the same name in a folder beside, tells since when a file has
been known to be unneeded.
"""

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from app.errors import Unavailable

SHA256 = re.compile(r"[0-9a-f]{64}")
# An upload that takes longer has been given up.
ABANDONED_S = 86_400
PATIENCE_S = 10.0
BATCH = 500


class FilesUnusable(Unavailable):
    """The server can't store files now; try again later."""


class Incoming:
    """A file as it comes in: `write` its parts, then `Files.keeping` it."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, part: bytes) -> None:
        """Raises FilesUnusable."""
        with _translated():
            self._file.write(part)
        self._hash.update(part)
        self.size += len(part)

    def finish(self) -> None:
        """Puts it on the disk. Raises FilesUnusable."""
        with _translated():
            self._file.flush()
            os.fsync(self._file.fileno())


class Files:
    """The files below one folder, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def receiving(self) -> Iterator[Incoming]:
        """A new file, gone after the block unless it was kept. Raises FilesUnusable."""
        with _translated():
            incoming = self.folder / "incoming"
            incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = incoming / secrets.token_hex(16)
            file = path.open("xb")
        try:
            with file:
                yield Incoming(path, file)
        finally:
            with suppress(OSError):
                path.unlink()

    @contextmanager
    def keeping(self, incoming: Incoming) -> Iterator[None]:
        """The file is in its place, and nobody deletes it before the end of the block.

        Within the block the row that needs it is committed. Raises FilesUnusable.
        """
        incoming.finish()
        with self._locked(fcntl.LOCK_SH):
            path = self.path(incoming.sha256)
            # One of the same size is whole: it came here by a rename too.
            if not path.exists() or path.stat().st_size != incoming.size:
                with _translated():
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    incoming.path.replace(path)
                    _sync(path.parent)
            self._unmark(incoming.sha256)
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody deletes a file before the end of the block. Raises FilesUnusable."""
        with self._locked(fcntl.LOCK_SH):
            yield

    def path(self, sha256: str) -> Path:
        """Where the file with this content is, if it is there."""
        return self.folder / sha256[:2] / sha256[2:4] / sha256

    def exists(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def is_whole(self, sha256: str, size: int) -> bool:
        """Whether it is there with all its bytes."""
        try:
            return self.exists(sha256) and self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def list_(self) -> Iterator[str]:
        """The hashes of all files, in order."""
        for outer in _folders(self.folder):
            for inner in _folders(outer):
                yield from sorted(one.name for one in inner.iterdir() if SHA256.fullmatch(one.name))

    def list_unneeded(
        self, candidates: Collection[str], needed: Callable[[Collection[str]], Collection[str]]
    ) -> list[str]:
        """Those of the candidates that nobody needs, no upload on its way either.

        Args and Raises: as `delete_unneeded`.
        """
        suspects = set(candidates) - set(needed(candidates))
        if not suspects:
            return []
        with self._locked(fcntl.LOCK_EX):
            # Uploads whose file was in its place have told by now who needs it.
            left = suspects - set(needed(suspects))
            return sorted(one for one in left if self.exists(one))

    def delete_unneeded(
        self, candidates: Collection[str], needed: Callable[[Collection[str]], Collection[str]]
    ) -> int:
        """Deletes those of the candidates that nobody needs; how many.

        Args:
            candidates: hashes.
            needed: tells which of some hashes are needed, from the database as it is now.

        Raises:
            FilesUnusable: also when uploads keep the lock for too long.
        """
        deleted = 0
        ordered = sorted(candidates)
        for at in range(0, len(ordered), BATCH):
            batch = ordered[at : at + BATCH]
            with self._locked(fcntl.LOCK_EX):
                for sha256 in set(batch) - set(needed(batch)):
                    deleted += self._delete(sha256)
        return deleted

    def expire(
        self,
        candidates: Collection[str],
        needed: Callable[[Collection[str]], Collection[str]],
        grace_s: float,
    ) -> list[str]:
        """Deletes those of the candidates that nobody has needed for so long; which.

        The time begins when this first finds a file unneeded, and ends when it is needed again.

        Args:
            candidates: hashes of files that are there.
            needed: as of `delete_unneeded`.
            grace_s: seconds.

        Raises:
            As `delete_unneeded`.
        """
        oldest = time.time() - grace_s
        with self._locked(fcntl.LOCK_EX):
            unneeded = set(candidates) - set(needed(candidates))
            for sha256 in set(candidates) - unneeded:
                self._unmark(sha256)
            due = [one for one in sorted(unneeded) if self._unneeded_since(one) < oldest]
            return [one for one in due if self._delete(one)]

    def delete_abandoned(self) -> int:
        """Deletes what uploads left that never ended; how many."""
        oldest = time.time() - ABANDONED_S
        deleted = 0
        for path in (self.folder / "incoming").glob("*"):
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    deleted += 1
        return deleted

    def _mark(self, sha256: str) -> Path:
        return self.folder / "unneeded" / sha256

    def _unmark(self, sha256: str) -> None:
        with _translated():
            self._mark(sha256).unlink(missing_ok=True)

    def _unneeded_since(self, sha256: str) -> float:
        """As its mark says, which it gets if it has none."""
        mark = self._mark(sha256)
        with _translated():
            mark.parent.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileExistsError):
                mark.touch(exist_ok=False)
            return mark.stat().st_mtime

    def _delete(self, sha256: str) -> int:
        # First: a mark that is left would be the end of the same file when it comes again.
        self._unmark(sha256)
        try:
            self.path(sha256).unlink()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _unusable(error) from error
        return 1

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with _translated():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("ab")
        with lock:
            _take(lock.fileno(), how)
            yield


def _take(descriptor: int, how: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise FilesUnusable from error
        time.sleep(0.01)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if len(one.name) == 2 and one.is_dir())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unusable(error) from error


def _unusable(error: OSError) -> FilesUnusable:
    return FilesUnusable(f"The server can't store files now ({error.strerror}).")
