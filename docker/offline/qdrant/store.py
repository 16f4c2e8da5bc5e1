"""All collections of a storage folder, their aliases, and the thread that tidies up."""

import fcntl
import json
import logging
import shutil
import threading
import uuid
from pathlib import Path

import snapshots
from collection import SETTINGS, Collection, check_name, sync_folder, write_json
from errors import ApiError, BadRequest, CollectionMissing, Json, known, listed, require

log = logging.getLogger("qdrant")
# Seconds for which writes are gathered before the log is emptied.
PAUSE = 2.0
# Seconds that a stop waits for work in the background.
PATIENCE = 1.0
ALIASES = "aliases.json"


class StorageError(Exception):
    """The storage folder can't be used; the text says why and what to do."""


class Store:
    def __init__(self, storage: Path, snapshots_folder: Path) -> None:
        # A folder of its own: the real server's files in the same volume are never touched.
        self.folder = storage / "offline"
        self.snapshots = snapshots.Snapshots(snapshots_folder)
        self.changing = threading.Lock()
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        self.written: set[Collection] = set()
        self.wake = threading.Condition()
        self.closing = threading.Event()
        self.housekeeper = threading.Thread(target=self.keep_house, daemon=True)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise StorageError(
                f"{storage} can't be written ({error.strerror}): give the container's user a "
                "writable volume there"
            ) from error
        self.claim()
        self.load()
        self.housekeeper.start()

    def claim(self) -> None:
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(
                f"{self.folder} is in use by another server: give each one its own volume"
            ) from error

    def load(self) -> None:
        for leftover in (*self.folder.glob("*.new"), *self.folder.glob("*.gone")):
            log.warning("removing %s, left half done by a killed server", leftover.name)
            shutil.rmtree(leftover)
        for folder in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            try:
                collection = Collection(folder)
            except Exception as error:
                raise StorageError(
                    f"the collection in {folder} can't be loaded ({error}): restore the volume, "
                    "or remove that folder and index again"
                ) from error
            self.collections[collection.name] = collection
        if (self.folder / ALIASES).exists():
            self.aliases = json.loads((self.folder / ALIASES).read_text("utf-8"))

    def require(self, name: str) -> Collection:
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise CollectionMissing(name)
        return found

    def exists(self, name: str) -> bool:
        return self.aliases.get(name, name) in self.collections

    def create(self, name: str, body: Json) -> bool:
        check_name(name)
        with self.changing:
            if name in self.collections or name in self.aliases:
                raise ApiError(409, f"Wrong input: Collection `{name}` already exists!")
            folder = self.folder / uuid.uuid4().hex
            self.collections[name] = Collection.make(folder, name, body)
        return True

    def recover(self, name: str, path: Path) -> bool:
        """Makes a collection of a snapshot, or puts that in its place."""
        check_name(name)
        folder = self.folder / uuid.uuid4().hex
        unfinished = folder.with_suffix(".new")
        with self.changing, snapshots.unpacked(path, unfinished):
            settings = json.loads((unfinished / SETTINGS).read_text("utf-8"))
            write_json(unfinished / SETTINGS, {**settings, "name": name})
            # What can't be loaded is no reason to lose what is there.
            Collection(unfinished).close()
            gone = self.collections.pop(name, None)
            if gone is not None:
                self.forget(gone)
            unfinished.rename(folder)
            sync_folder(self.folder)
            self.collections[name] = Collection(folder)
        return True

    def delete(self, name: str) -> bool:
        with self.changing:
            gone = self.collections.pop(name, None)
            if gone is None:
                return False
            remaining = {a: c for a, c in self.aliases.items() if c != name}
            if remaining != self.aliases:
                self.save_aliases(remaining)
            self.forget(gone)
        return True

    def forget(self, gone: Collection) -> None:
        with self.wake:
            self.written.discard(gone)
        gone.remove()

    def change_aliases(self, body: Json) -> bool:
        """Applies all actions or, when one of them is wrong, none."""
        known(body, ("actions",), "change of aliases")
        with self.changing:
            aliases = dict(self.aliases)
            for action in listed(body.get("actions"), "actions"):
                self.change_alias(aliases, action)
            self.save_aliases(aliases)
        return True

    def change_alias(self, aliases: dict[str, str], action: Json) -> None:
        known(action, ("create_alias", "delete_alias", "rename_alias"), "action")
        if "create_alias" in action:
            self.add_alias(aliases, action["create_alias"])
        elif "delete_alias" in action:
            aliases.pop(require(action["delete_alias"], "alias_name", "delete_alias"), None)
        elif "rename_alias" in action:
            names = known(action["rename_alias"], ("old_alias_name", "new_alias_name"), "action")
            old = require(names, "old_alias_name", "rename_alias")
            if old not in aliases:
                raise ApiError(404, f"Not found: Alias {old} does not exists!")
            new = {"alias_name": names.get("new_alias_name"), "collection_name": aliases.pop(old)}
            self.add_alias(aliases, new)
        else:
            raise BadRequest("an action is create_alias, delete_alias or rename_alias")

    def add_alias(self, aliases: dict[str, str], body: Json) -> None:
        known(body, ("alias_name", "collection_name"), "alias")
        alias = require(body, "alias_name", "alias")
        target = require(body, "collection_name", "alias")
        check_name(alias)
        if target not in self.collections:
            raise CollectionMissing(target)
        if alias in self.collections:
            raise ApiError(409, f"Wrong input: Collection `{alias}` already exists!")
        aliases[alias] = target

    def save_aliases(self, aliases: dict[str, str]) -> None:
        write_json(self.folder / ALIASES, aliases)
        self.aliases = aliases

    def note_write(self, collection: Collection) -> None:
        with self.wake:
            self.written.add(collection)
            self.wake.notify()

    def keep_house(self) -> None:
        """Sleeps without a timer while nothing is written, so that an idle server costs nothing."""
        while True:
            with self.wake:
                self.wake.wait_for(lambda: self.written or self.closing.is_set())
            if self.closing.wait(PAUSE):
                return
            with self.wake:
                written, self.written = self.written, set()
            for collection in written:
                self.maintain(collection)

    def maintain(self, collection: Collection) -> None:
        try:
            collection.maintain()
        except Exception as error:
            # A collection that was deleted meanwhile needs nothing; any other keeps its log.
            if self.collections.get(collection.name) is collection:
                log.error("collection %s could not be tidied: %s", collection.name, error)

    def close(self) -> None:
        self.closing.set()
        with self.wake:
            self.wake.notify()
        self.housekeeper.join(PATIENCE)
        if self.housekeeper.is_alive():
            log.warning(
                "an index is still being built: stopping without it, the log keeps all writes"
            )
            return
        for collection in self.collections.values():
            collection.close()
        self.lock.close()
