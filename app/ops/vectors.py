"""Prepares Qdrant."""

import time

import structlog

from app.errors import Unavailable
from app.settings import Settings
from app.vectors import client, collections

log = structlog.get_logger(__name__)

PATIENCE_S = 60.0


def ensure_collections(settings: Settings) -> None:
    """Makes the collections where they are missing; waits for a Qdrant that is still starting.

    Raises:
        QdrantUnavailable: it doesn't answer within a minute.
    """
    start = time.monotonic()
    qdrant = client.build(settings)
    try:
        while True:
            try:
                if collections.ensure(qdrant, vector_size=settings.qdrant_vector_size):
                    log.info("made the collection in Qdrant", collection=collections.KNOWLEDGE)
                return
            except Unavailable:
                if time.monotonic() - start > PATIENCE_S:
                    raise
                time.sleep(0.2)
    finally:
        qdrant.close()
