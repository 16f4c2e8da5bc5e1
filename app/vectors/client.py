"""The connection to Qdrant: a server, or the engine in this process on a folder."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

from app.errors import Unavailable
from app.settings import Settings


class QdrantUnavailable(Unavailable):
    """Qdrant doesn't answer; try again shortly."""


def build(settings: Settings) -> QdrantClient:
    """A client. With a server it connects at its first call; a folder is opened and locked now."""
    if settings.qdrant_url is None:
        folder = settings.qdrant_path or settings.data_dir / "qdrant"
        folder.mkdir(parents=True, exist_ok=True)
        return QdrantClient(path=str(folder))
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


@contextmanager
def translated() -> Iterator[None]:
    """Raises QdrantUnavailable when Qdrant can't be used within the block."""
    try:
        yield
    except (ApiException, ResponseHandlingException, httpx.HTTPError) as error:
        raise QdrantUnavailable from error


def version(client: QdrantClient) -> str:
    """The server's version. Raises QdrantUnavailable."""
    with translated():
        return str(client.info().version)
