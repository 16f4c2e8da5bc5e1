"""Qdrant's client, which by itself takes as long to import as all the rest of the service.

It has four hundred models and builds each of them twice while it is imported. The service uses a
dozen of them; with this they are built when somebody first uses them. It must be imported before
anything imports the client by itself.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel


@contextmanager
def _unbuilt() -> Iterator[None]:
    """Classes of models that are made within the block are built later."""
    config, rebuild = BaseModel.model_config, BaseModel.__dict__["model_rebuild"]

    def leave_it(_model: type[BaseModel], /, **_options: Any) -> None:
        pass

    BaseModel.model_config = {**config, "defer_build": True}
    BaseModel.model_rebuild = classmethod(leave_it)  # type: ignore[assignment]
    try:
        yield
    finally:
        BaseModel.model_config = config
        BaseModel.model_rebuild = rebuild  # type: ignore[method-assign]


with _unbuilt():
    importlib.import_module("qdrant_client")

from qdrant_client import QdrantClient, models  # noqa: E402
from qdrant_client.http.exceptions import (  # noqa: E402
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

__all__ = [
    "ApiException",
    "QdrantClient",
    "ResponseHandlingException",
    "UnexpectedResponse",
    "models",
]
