"""The connection to Qdrant: a server, or the engine in this process on a folder."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

from app.errors import Unavailable
from app.settings import Settings


class QdrantUnavailable(Unavailable):
    """Qdrant doesn't answer; try again shortly."""


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
        return QdrantClient(path=str(folder))
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
def translated() -> Iterator[None]:
    """Raises QdrantUnavailable when Qdrant can't be used within the block."""
    try:
        yield
    except (ApiException, ResponseHandlingException, httpx.HTTPError) as error:
        raise QdrantUnavailable from error


def version(client: QdrantClient) -> str:
    """The server's version, and whether it is the offline image's. Raises QdrantUnavailable."""
    with translated():
        # The version is told to anybody, the collections only to those with the key.
        client.get_collections()
        found = client.info()
    _, _, offline = found.title.partition(" (offline image: ")
    return f"{found.version} ({offline.rstrip(')')}, offline image)" if offline else found.version
