"""Sets of volumes for one project: of a restore, of a rehearsal, of a stack that is still to be."""

from __future__ import annotations

from typing import Iterable

from host import engine
from host.toolbox import FILES, PLACES, POSTGRES, QDRANT, REDIS, Mount, Tool, Toolbox

OWNERS = {FILES: "app", POSTGRES: "postgres", QDRANT: "qdrant", REDIS: "redis"}
SETTING = "DATA_GENERATION"


class Generation:
    """Volumes with names and labels as Compose would give them."""

    def __init__(self, project: str, name: str) -> None:
        self.project = project
        self.name = name

    def volume(self, key: str) -> str:
        return f"{self.project}_{key}{self.name}"

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
