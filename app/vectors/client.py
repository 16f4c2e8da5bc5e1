"""The connection to Qdrant: a server, or the engine in this process on a folder."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx

from app.errors import Unavailable
from app.settings import Settings
from app.vectors.library import ApiException, QdrantClient, ResponseHandlingException


class QdrantUnavailable(Unavailable):
    """Qdrant doesn't answer; try again shortly."""


class InProcess(QdrantClient):
    """The engine on a folder, shared by all of this process that build it for the folder.

    One thread uses it at a time, within `using`: the engine isn't made for more.
    """

    _opened: dict[Path, "InProcess"] = {}  # noqa: RUF012
    _opening = threading.RLock()

    def __init__(self, folder: Path) -> None:
        super().__init__(path=str(folder), force_disable_check_same_thread=True)
        self.lock = threading.RLock()
        self.folder = folder
        self.users = 0

    @classmethod
    def share(cls, folder: Path) -> "InProcess":
        with cls._opening:
            shared = cls._opened.get(folder)
            if shared is None:
                shared = cls._opened[folder] = cls(folder)
            shared.users += 1
            return shared

    def __del__(self) -> None:
        # The client's own would close what others share, at any moment that garbage is collected.
        pass

    def close(self, grpc_grace: float | None = None, **kwargs: Any) -> None:
        """Closes the folder when the last one that shares it has closed it."""
        with self._opening:
            self.users -= 1
            if self.users == 0:
                del self._opened[self.folder]
                super().close(grpc_grace, **kwargs)


def build(settings: Settings) -> QdrantClient:
    """A client. With a server it connects at its first call; a folder is opened and locked now.

    Raises:
        QdrantUnavailable: the folder can't be written, or another process uses it.
    """
    if settings.qdrant_url is None:
        return _in_process(settings.qdrant_path or settings.data_dir / "qdrant")
    key = settings.qdrant_api_key
    with warnings.catch_warnings():
        # Inside of the stack there is no TLS on the way to Qdrant; its network is internal.
        warnings.filterwarnings("ignore", "Api key is used with an insecure", UserWarning)
        return QdrantClient(
            url=settings.qdrant_url,
            api_key=key.get_secret_value() if key else None,
            timeout=settings.qdrant_timeout_s,
            # The check asks the server when the client is made, and only warns.
            check_compatibility=False,
            # A proxy of the environment is for the outside; Qdrant is a neighbour.
            trust_env=False,
        )


def _in_process(folder: Path) -> QdrantClient:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return InProcess.share(folder.resolve())
    except OSError as error:
        raise QdrantUnavailable(
            f"can't write in {folder} ({error.strerror}); set DATA_DIR to a folder that can be used"
        ) from error
    except RuntimeError as error:
        # The only one that it raises: one process at a time may have the folder.
        raise QdrantUnavailable(
            f"another process uses {folder}; stop it, or set QDRANT_URL to a server for both"
        ) from error


@contextmanager
def using(client: QdrantClient) -> Iterator[None]:
    """Raises QdrantUnavailable when Qdrant can't be used within the block."""
    try:
        with client.lock if isinstance(client, InProcess) else nullcontext():
            yield
    except (ApiException, ResponseHandlingException, httpx.HTTPError) as error:
        raise QdrantUnavailable from error


def version(client: QdrantClient) -> str:
    """The server's version, and whether it is the offline image's. Raises QdrantUnavailable."""
    with using(client):
        # The version is told to anybody, the collections only to those with the key.
        client.get_collections()
        found = client.info()
    _, _, offline = found.title.partition(" (offline image: ")
    return f"{found.version} ({offline.rstrip(')')}, offline image)" if offline else found.version
