"""restic's repository: all of a backup that is not PostgreSQL's."""

from __future__ import annotations

import hashlib
import io
import json
from typing import IO, Any, Sequence

from host.backups import manifest as manifests
from host.backups.manifest import Manifest, Part
from host.errors import HostError
from host.toolbox import BACKUPS, FILES, PLACES, READING, WRITING, Mount, Tool, Toolbox, ToolFailed

MANIFEST = "manifest"
# restic's exit codes.
NO_REPOSITORY, WRONG_KEY = 10, 12


class Unreadable(HostError):
    """The repository can't be read, or isn't whole."""


class Repository:
    def __init__(self, toolbox: Toolbox) -> None:
        self.toolbox = toolbox

    def prepare(self) -> None:
        """Makes it where there is none. Raises Unreadable."""
        try:
            self._ask("cat", "--no-lock", "config")
        except ToolFailed as error:
            if error.ended != NO_REPOSITORY:
                raise _explained(error) from error
            self._ask("init", writable=True)
        # Only one of us works at a time, so what is locked is of a killed run.
        self._ask("unlock", "--remove-all", writable=True)

    def save_stream(self, name: str, backup: str, source: IO[bytes]) -> Part:
        """Stores what `source` gives, up to its end."""
        reader = Reader(source)
        said = self._ask(
            *("backup", "--json", "--stdin", f"--stdin-filename=/{name}"),
            *(f"--tag={name}", f"--tag={backup}", f"--host={self.toolbox.project}"),
            writable=True,
            source=reader,
        )
        return _part(said, reader.sha256)

    def save_files(self, backup: str) -> Part:
        """Stores the uploaded files, of which only new ones are read."""
        said = self._ask(
            *("backup", "--json", f"--tag={FILES}", f"--tag={backup}"),
            *(f"--host={self.toolbox.project}", f"--exclude={PLACES[FILES]}/**/incoming/*"),
            PLACES[FILES],
            mounts=[Mount(self.toolbox.volume(FILES), PLACES[FILES])],
            writable=True,
        )
        return _part(said, "")

    def dump(self, name: str, part: Part) -> Tool:
        """A tool that says a stream's content on stdout."""
        return self._tool(["mindgraph-restic", "dump", "--no-lock", part.snapshot, f"/{name}"])

    def read(self, name: str, part: Part) -> str:
        """Raises Unreadable when it is not what was stored."""
        try:
            text = self.toolbox.run(self.dump(name, part))
        except ToolFailed as error:
            raise _explained(error) from error
        if part.sha256 and hashlib.sha256(text.encode()).hexdigest() != part.sha256:
            raise Unreadable(f"{name} in snapshot {part.snapshot} is not what was stored")
        return text

    def restore_files(self, part: Part, volume: str) -> None:
        """Adds them to what the volume has. Raises Unreadable."""
        try:
            self._ask(
                *("restore", "--no-lock", f"--target={PLACES[FILES]}", "--quiet", "--verify"),
                f"{part.snapshot}:{PLACES[FILES]}",
                mounts=[Mount(volume, PLACES[FILES], writable=True)],
                capabilities=WRITING,
            )
        except ToolFailed as error:
            raise _explained(error) from error

    def check(self) -> None:
        """Raises Unreadable when something that a backup needs is missing or has another size."""
        try:
            self._ask("check", "--no-lock", "--quiet")
        except ToolFailed as error:
            raise _explained(error) from error

    def snapshots(self) -> list[dict[str, Any]]:
        """Raises Unreadable."""
        try:
            found: list[dict[str, Any]] = json.loads(self._ask("snapshots", "--no-lock", "--json"))
        except ToolFailed as error:
            if error.ended == NO_REPOSITORY:
                return []
            raise _explained(error) from error
        return found

    def manifests(self) -> list[Manifest]:
        """Of all whole backups, the oldest first. Raises Unreadable, WrongManifest."""
        ids = [one["id"] for one in self.snapshots() if MANIFEST in one.get("tags", [])]
        if not ids:
            return []
        script = (
            'for id; do mindgraph-restic dump --no-lock "$id" /manifest || exit; printf "\\0"; done'
        )
        try:
            said = self.toolbox.run(self._tool(["bash", "-c", script, "bash", *ids]))
        except ToolFailed as error:
            raise _explained(error) from error
        found = [manifests.read(text) for text in said.split("\0") if text.strip()]
        return sorted(found, key=lambda one: one.id)

    def save_manifest(self, manifest: Manifest) -> None:
        self.save_stream(MANIFEST, manifest.id, io.BytesIO(manifest.text().encode()))

    def forget(self, snapshots: Sequence[str]) -> None:
        """Removes them, and what only they had."""
        if snapshots:
            self._ask("forget", "--prune", "--quiet", *snapshots, writable=True)

    def _ask(
        self,
        *arguments: str,
        mounts: Sequence[Mount] = (),
        writable: bool = False,
        capabilities: Sequence[str] = READING,
        source: Any = None,
    ) -> str:
        command = ["mindgraph-restic", *arguments]
        return self.toolbox.run(self._tool(command, mounts, writable, capabilities), source)

    def _tool(
        self,
        command: Sequence[str],
        mounts: Sequence[Mount] = (),
        writable: bool = False,
        capabilities: Sequence[str] = READING,
    ) -> Tool:
        backups = Mount(self.toolbox.volume(BACKUPS), PLACES[BACKUPS], writable)
        return Tool("postgres", command, [backups, *mounts], capabilities)


class Reader:
    """Counts and hashes what is read through it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _part(said: str, sha256: str) -> Part:
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    done = next(line for line in reversed(lines) if line.get("message_type") == "summary")
    return Part(
        done["snapshot_id"], done["total_bytes_processed"], done["total_files_processed"], sha256
    )


def _explained(error: ToolFailed) -> Unreadable:
    if error.ended == WRONG_KEY:
        return Unreadable("BACKUP_KEY is not the one that the backups were made with; set that one")
    if error.ended == NO_REPOSITORY:
        return Unreadable("there is no backup of uploaded files here; run: mindgraph backup")
    return Unreadable(f"the repository of uploaded files is damaged or can't be read: {error}")
