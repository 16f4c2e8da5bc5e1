"""One collection on disk: an engine shard and the settings it was made with."""

import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge
import schema
from errors import BadRequest, Json

SETTINGS = "collection.json"
SHARD = "shard"


class Collection:
    """A loaded collection; writes are serialised, reads run beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Json = json.loads((folder / SETTINGS).read_text("utf-8"))
        self.name: str = self.settings["name"]
        # With the defaults of now, also where it was made with others.
        config = schema.config_from(self.settings["create"])
        self.shard = edge.EdgeShard.load(str(folder / SHARD), config)
        self.writing = threading.Lock()
        self.tidying = threading.Lock()
        self.operations = 0

    @staticmethod
    def make(folder: Path, name: str, body: Json) -> "Collection":
        """Builds beside the final place, so that a kill never leaves a half collection there."""
        config = schema.config_from(body)
        unfinished = folder.with_suffix(".new")
        (unfinished / SHARD).mkdir(parents=True)
        try:
            edge.EdgeShard.create(str(unfinished / SHARD), config).close()
            write_json(unfinished / SETTINGS, {"name": name, "create": body, "indexes": {}})
            unfinished.rename(folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return Collection(folder)

    def remove(self) -> None:
        with self.writing:
            self.shard.close()
            doomed = self.folder.with_suffix(".gone")
            self.folder.rename(doomed)
            sync_folder(doomed.parent)
            shutil.rmtree(doomed, ignore_errors=True)

    def close(self) -> None:
        with self.writing:
            self.shard.flush()
            self.shard.close()

    def apply(self, operations: Iterable[edge.UpdateOperation]) -> int:
        """Applies in order and returns the number of the last operation.

        The engine writes each to its log before it returns, so what was answered outlives a kill.
        """
        with self.writing:
            for operation in operations:
                self.shard.update(operation)
                self.operations += 1
            return self.operations

    def index(self, field: str, schema_body: Any) -> int:
        params, described = schema.index_from(schema_body)
        done = self.apply([edge.UpdateOperation.create_field_index(field, params)])
        self.remember_index(field, described)
        return done

    def unindex(self, field: str) -> int:
        done = self.apply([edge.UpdateOperation.delete_field_index(field)])
        self.remember_index(field, None)
        return done

    def remember_index(self, field: str, described: Json | None) -> None:
        with self.writing:
            indexes = {k: v for k, v in self.settings["indexes"].items() if k != field}
            if described is not None:
                indexes[field] = described
            self.settings = {**self.settings, "indexes": indexes}
            write_json(self.folder / SETTINGS, self.settings)

    def maintain(self) -> None:
        """Empties the log into the segments, and makes room where much was deleted.

        The engine lets nobody else work meanwhile: for some seconds with 50,000 points, once a
        fifth of them was deleted, and for minutes where a collection asks for an index of vectors.
        """
        with self.tidying:
            self.shard.flush()
            if self.shard.optimize():
                self.shard.flush()

    @contextmanager
    def still(self) -> Iterator[None]:
        """What is in the folder does not change within the block, and is all that was written."""
        with self.tidying, self.writing:
            self.shard.flush()
            yield

    def info(self) -> Json:
        state = self.shard.info()
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": state.indexed_vectors_count,
            "points_count": state.points_count,
            "segments_count": state.segments_count,
            "config": schema.described(self.settings["create"]),
            "payload_schema": {
                field: self.index_info(field, found)
                for field, found in state.payload_schema.items()
            },
        }

    def index_info(self, field: str, found: "edge.PayloadIndexInfo") -> Json:
        kind = str(found.data_type).rsplit(".", 1)[-1].lower()
        shown: Json = {"data_type": kind, "points": found.points}
        params = self.settings["indexes"].get(field)
        # The real server shows no parameters for an index that was asked for by its kind alone.
        if params and set(params) > {"type"}:
            shown["params"] = params
        return shown


def check_name(name: str) -> None:
    if not 1 <= len(name) <= 255 or any(c in '<>:"/\\|?*' or ord(c) < 32 for c in name):
        raise BadRequest(f"{name!r} can't be the name of a collection")


def write_json(path: Path, content: Json) -> None:
    """Replaces the file in one step: a reader or a kill meets the old or the new one."""
    fresh = path.with_suffix(".tmp")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
