"""Sets of volumes for one project: of a restore, of a rehearsal, of a stack that is still to be."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Iterable

from host import engine
from host.toolbox import FILES, PLACES, POSTGRES, QDRANT, REDIS, Mount, Tool, Toolbox

OWNERS = {FILES: "app", POSTGRES: "postgres", QDRANT: "qdrant", REDIS: "redis"}
SETTING, VERSION = "DATA_GENERATION", "POSTGRES_VERSION"


class Generation:
    """Volumes with names and labels as Compose would give them."""

    def __init__(self, project: str, name: str, version: str = "") -> None:
        """`version` is PostgreSQL's, where it is not the release's own."""
        self.project = project
        self.name = name
        self.version = version

    @classmethod
    def named(cls, toolbox: Toolbox, name: str) -> Generation:
        """Of the toolbox's stack."""
        return cls(toolbox.project, name, toolbox.settings.get(VERSION, ""))

    @classmethod
    def current(cls, toolbox: Toolbox) -> Generation:
        return cls.named(toolbox, toolbox.stack.settings().get(SETTING, ""))

    @classmethod
    def fresh(cls, toolbox: Toolbox) -> Generation:
        return cls.named(toolbox, datetime.now(timezone.utc).strftime("-%Y%m%dT%H%M%SZ"))

    def volume(self, key: str) -> str:
        version = f"-{self.version}" if key == POSTGRES and self.version else ""
        return f"{self.project}_{key}{version}{self.name}"

    @property
    def volumes(self) -> list[str]:
        return [self.volume(key) for key in OWNERS]

    def make(self, toolbox: Toolbox, keys: Iterable[str] = tuple(OWNERS)) -> None:
        """Empty ones, which belong to the users of their services."""
        for key in keys:
            labels = {
                "com.docker.compose.project": self.project,
                "com.docker.compose.volume": key,
            }
            engine.make_volume(self.volume(key), labels)
            # The engine gives a volume the owner of what an image has at the place.
            mount = Mount(self.volume(key), PLACES[key], writable=True)
            toolbox.run(Tool(OWNERS[key], ["true"], [mount]))

    def remove(self) -> None:
        engine.remove_volumes(*self.volumes)

    def remove_one(self, key: str) -> None:
        engine.remove_volumes(self.volume(key))
