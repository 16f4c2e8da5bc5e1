"""Snapshots of collections: one file with all of a collection as it is at a moment."""

import hashlib
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from collection import SETTINGS, SHARD, Collection, sync_folder
from errors import ApiError, BadRequest, Json, Unsupported, known, one_of, require

# Of the only node.
PEER = 1
SUM = ".checksum"
# With one node they mean the same.
PRIORITIES = {name: name for name in ("no_sync", "replica", "snapshot")}


class Snapshots:
    """Those of all collections; each has a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, collection: Collection) -> Json:
        """Nobody writes to the collection meanwhile; a kill never leaves half a snapshot."""
        folder = self.folder / collection.name
        folder.mkdir(parents=True, exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y-%m-%d-%H-%M-%S")
        path = folder / f"{collection.name}-{PEER}-{stamp}.snapshot"
        unfinished = path.with_suffix(".new")
        try:
            with tarfile.open(unfinished, "w") as archive, collection.still():
                archive.add(collection.folder / SETTINGS, SETTINGS)
                archive.add(collection.folder / SHARD, SHARD)
            Path(f"{path}{SUM}").write_text(sum_of(unfinished), encoding="ascii")
            unfinished.replace(path)
            sync_folder(folder)
        finally:
            unfinished.unlink(missing_ok=True)
        return described(path)

    def list_(self, collection: Collection) -> list[Json]:
        return [described(path) for path in self.paths(collection)]

    def require(self, collection: Collection, name: str) -> Path:
        for path in self.paths(collection):
            if path.name == name:
                return path
        raise ApiError(404, f"Not found: Snapshot {name} not found")

    def remove(self, collection: Collection, name: str) -> bool:
        path = self.require(collection, name)
        path.unlink()
        Path(f"{path}{SUM}").unlink(missing_ok=True)
        return True

    def paths(self, collection: Collection) -> list[Path]:
        return sorted((self.folder / collection.name).glob("*.snapshot"))


def described(path: Path) -> Json:
    found = path.stat()
    made = datetime.fromtimestamp(found.st_mtime, UTC)
    return {
        "name": path.name,
        "creation_time": made.strftime("%Y-%m-%dT%H:%M:%S"),
        "size": found.st_size,
        "checksum": Path(f"{path}{SUM}").read_text("ascii"),
    }


def location_from(body: Json) -> Path:
    """The file that a collection is to be recovered from, with the checksum that it should have."""
    known(body, ("location", "priority", "checksum"), "recovery")
    if body.get("priority") is not None:
        one_of(body["priority"], PRIORITIES, "priority")
    address = urlsplit(str(require(body, "location", "recovery")))
    if address.scheme != "file":
        raise Unsupported("snapshot from another machine")
    path = Path(unquote(address.path))
    if not path.is_file():
        raise BadRequest(f"Snapshot file {path} does not exist")
    if body.get("checksum") not in (None, sum_of(path)):
        raise BadRequest(f"Snapshot checksum mismatch: {path} has another one")
    return path


@contextmanager
def unpacked(path: Path, folder: Path) -> Iterator[None]:
    """The folder has what is in a snapshot, and is gone afterwards if it is still there."""
    folder.mkdir()
    try:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        if not (folder / SETTINGS).is_file():
            raise BadRequest(f"{path.name} is no snapshot of the offline stand-in")
        yield
    except (tarfile.TarError, EOFError) as error:
        raise BadRequest(f"{path.name} is no whole snapshot: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
