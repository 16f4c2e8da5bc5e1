"""One embedder for each model that this process uses."""

import threading

from app.embedders import build
from app.embedders.base import Embedder
from app.settings import Settings


class Embedders:
    """Makes each embedder when it is first needed.

    Args:
        settings: which one is chosen, and where others are.
        threads: of the built-in one, instead of the setting's.
    """

    def __init__(self, settings: Settings, *, threads: int | None = None) -> None:
        self._settings = settings
        self._threads = threads
        self._made: dict[tuple[str, int], Embedder] = {}
        self._making = threading.Lock()

    def chosen(self) -> Embedder:
        """What the settings name: for a new index; close it.

        Raises:
            EmbedderMisconfigured.
        """
        return build.build(self._settings, threads=self._threads)

    def of(self, model: str, dimension: int) -> Embedder:
        """The one that an index was made with. Raises EmbedderMisconfigured."""
        with self._making:
            found = self._made.get((model, dimension))
            if found is None:
                found = build.build(
                    self._settings, model=model, dimension=dimension, threads=self._threads
                )
                self._made[model, dimension] = found
            return found

    def close(self) -> None:
        with self._making:
            for one in self._made.values():
                one.close()
            self._made.clear()
