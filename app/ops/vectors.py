"""Prepares Qdrant."""

import time

import structlog

from app.db import engine
from app.db.session import Database
from app.embedders.pool import Embedders
from app.errors import AppError, Unavailable
from app.knowledge import indexes
from app.settings import Settings
from app.vectors import client

log = structlog.get_logger(__name__)

PATIENCE_S = 60.0


def prepare(settings: Settings) -> None:
    """Notes which index serves, and makes its collection, in a new installation.

    A Qdrant that is still starting is waited for, up to a minute. Without it the service starts as
    well: all but the search by meaning works, and the worker makes up for it.
    """
    database = Database(engine.build(settings, name="prepare", threads=1))
    qdrant = client.build(settings)
    embedders = Embedders(settings)
    try:
        _note(database, embedders)
        start = time.monotonic()
        while True:
            try:
                indexes.prepare(database, qdrant)
                return
            except Unavailable as error:
                if time.monotonic() - start > PATIENCE_S or isinstance(error, indexes.IndexLost):
                    log.error("starting without the search by meaning", reason=error.detail)
                    return
                time.sleep(0.2)
    finally:
        embedders.close()
        qdrant.close()
        database.close()


def _note(database: Database, embedders: Embedders) -> None:
    found = indexes.active(database)
    try:
        chosen = embedders.chosen()
        try:
            if found is None:
                indexes.ensure(database, model=chosen.model, dimension=chosen.dimension)
            elif found.model != chosen.model:
                log.warning(
                    "EMBEDDER names another model than the search index has; "
                    "`mindgraph reindex` makes one for it",
                    index=found.model,
                    embedder=chosen.model,
                )
        finally:
            chosen.close()
    except AppError as error:
        log.error("the embedder can't be used", reason=error.detail)
