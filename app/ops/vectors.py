"""Prepares the search index, and examines it for the doctor."""

import time

import structlog

from app import clock
from app.db import engine
from app.db.session import Database
from app.embedders.base import Embedder
from app.embedders.pool import Embedders
from app.errors import AppError, Unavailable
from app.knowledge import claim_queries, indexes
from app.knowledge.chunk_queries import Index
from app.settings import Settings
from app.vectors import client, collections, points
from app.vectors.library import QdrantClient

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
        _note(database, embedders, settings)
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


def _note(database: Database, embedders: Embedders, settings: Settings) -> None:
    found = indexes.active(database)
    try:
        chosen = embedders.chosen()
        try:
            if found is None:
                indexes.ensure(database, model=chosen.model, dimension=chosen.dimension)
            elif not _is_chosen(settings, chosen, found):
                log.warning(
                    "EMBEDDER names another model or dimension than the search index has; "
                    "`mindgraph reindex` makes one for it",
                    index=f"{found.model} ({found.dimension})",
                    embedder=chosen.model,
                )
        finally:
            chosen.close()
    except AppError as error:
        log.error("the embedder can't be used", reason=error.detail)


def examine(database: Database, qdrant: QdrantClient, settings: Settings) -> tuple[bool, str]:
    """Whether all that should be found by meaning can be, and what it is found with."""
    embedders = Embedders(settings)
    try:
        index = indexes.require_active(database)
        embedder = embedders.of(index.model, index.dimension)
        embedder.embed_query("ready")
        there = collections.exists(qdrant, index.collection)
        if not there and indexes.is_needed(database):
            return False, indexes.IndexLost().detail
        held = points.count(qdrant, index.collection) if there else 0
        waiting = indexing_queue(database)
        chosen = embedders.chosen()
        same = _is_chosen(settings, chosen, index)
        chosen.close()
    except AppError as error:
        return False, error.detail
    finally:
        embedders.close()
    detail = f"{held} passages with vectors of {index.model}, {waiting} documents wait"
    if (begun := indexes.given_up(database)) is not None:
        return False, (
            f"{detail}; an index with vectors of {begun.model} is unfinished since "
            f"{begun.created_at:%Y-%m-%d}: `mindgraph reindex` finishes it, or makes another"
        )
    if not same:
        return (
            False,
            f"{detail}; EMBEDDER names another model or dimension, for `mindgraph reindex`",
        )
    return True, detail


def _is_chosen(settings: Settings, chosen: Embedder, index: Index) -> bool:
    # The server of a remote embedder isn't asked for it.
    wanted = settings.embedder_dimension if settings.embedder == "openai" else None
    return chosen.model == index.model and wanted in (None, index.dimension)


def indexing_queue(database: Database) -> int:
    """How many versions wait for a worker."""
    with database.read() as session:
        return claim_queries.count_due(session, clock.now())
