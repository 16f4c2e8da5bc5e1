"""Takes versions from their file to Qdrant: extract, chunk, embed, index.

The database is the queue. Whoever uploads something wakes a worker through Redis, and a worker
that nobody wakes looks for itself every few seconds: what a crash or an emptied Redis left behind
is found in the same way as what is new.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import structlog

from app import clock, metrics
from app.embedders.errors import EmbedderMisconfigured
from app.errors import AppError, Unavailable
from app.knowledge import claim_queries, claims, indexing, reading, removals, states
from app.knowledge.claim_queries import Claimed
from app.knowledge.claims import Claim, ClaimLost
from app.knowledge.errors import ExtractionCancelled, ExtractionFailed, IngestionFailed
from app.knowledge.tools import Tools

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 3.0
# How long to wait for something that is down.
WAIT_S = 5.0
MISCONFIGURED_WAIT_S = 60.0
# After an error that may not come again: 2, 4, 8 and 16 seconds.
MOST_ERRORS = 5
# Of workers that died with the version in hand.
MOST_ATTEMPTS = 20


def run(tools: Tools, stop: threading.Event, wake: threading.Event) -> None:
    """Works until `stop` is set; `wake` says that there may be something to do."""
    drain_at = 0.0
    while not stop.is_set():
        if time.monotonic() > drain_at:
            # All of it: what is gone stands in the way of searches, and the next document may take
            # minutes.
            while not stop.is_set() and _safely(
                lambda: removals.drain(tools.database, tools.qdrant)
            ):
                pass
            # Mostly there is nothing, and a Qdrant that is away may take long to say so.
            drain_at = time.monotonic() + LOOK_EVERY_S
        worked = _safely(lambda: work_next(tools, stop))
        if not worked:
            wake.wait(LOOK_EVERY_S)
            wake.clear()


def _safely(work: Callable[[], bool]) -> bool:
    """What it says; False when something is away. A bug must not end the thread that does this."""
    try:
        return work()
    except Unavailable as error:
        log.warning("documents wait", reason=error.detail)
    except Exception:
        log.exception("a bug in the ingestion")
    return False


def work_next(tools: Tools, stop: threading.Event) -> bool:
    """Takes the version that has been due for longest a good part of its way; False if none is.

    Raises:
        Unavailable: the database.
    """
    taken = claims.take(tools.database)
    if taken is None:
        return False
    with taken as claim:
        try:
            _work(tools, claim, stop)
        except ClaimLost:
            log.info("somebody else has the version now", version=claim.version_id)
    return True


def _work(tools: Tools, claim: Claim, stop: threading.Event) -> None:
    version = claim.read()
    try:
        if version.attempts > MOST_ATTEMPTS:
            raise IngestionFailed
        _take_forward(tools, claim, version, stop)
    except ClaimLost:
        raise
    except ExtractionCancelled:
        # The worker ends: the next one begins it again.
        _release(claim)
    except AppError as error:
        _give_up(claim, version, error)
    except Exception:
        log.exception("a bug with a document", version=version.id, document=version.document_id)
        _try_again(claim, version, IngestionFailed())


def _give_up(claim: Claim, version: Claimed, error: AppError) -> None:
    """For now or for good."""
    if isinstance(error, EmbedderMisconfigured):
        # Not the document's fault: it waits until somebody has mended the settings.
        _wait(claim, error, MISCONFIGURED_WAIT_S)
    elif isinstance(error, ExtractionFailed):
        _try_again(claim, version, error)
    elif isinstance(error, Unavailable):
        _wait(claim, error, error.retry_after or WAIT_S)
    else:
        _fail(claim, error)


def _take_forward(tools: Tools, claim: Claim, version: Claimed, stop: threading.Event) -> None:
    state = version.state
    if state in {states.QUEUED, states.EXTRACTING}:
        with _timed("extract"):
            state = reading.read(tools, claim, version, stop)
    if state == states.EMBEDDING:
        with _timed("embed"):
            state = indexing.embed(tools, claim, version, stop)
    if state == states.INDEXING:
        with _timed("index"):
            indexing.index(tools, claim, version, stop)


def _timed(step: str) -> AbstractContextManager[None]:
    return metrics.timed(metrics.INGESTION_SECONDS.labels(step))


def _release(claim: Claim) -> None:
    with claim.writing() as session:
        claim.write(session, attempts=0, **_released(0))


def _wait(claim: Claim, error: AppError, seconds: float) -> None:
    metrics.INGESTION_RESULTS.labels("waiting").inc()
    log.warning("a document waits", version=claim.version_id, reason=error.detail)
    with claim.writing() as session:
        claim.write(
            session,
            attempts=0,
            error=error.code,
            problem=error.detail[:500],
            **_released(seconds),
        )


def _try_again(claim: Claim, version: Claimed, error: AppError) -> None:
    if version.attempts >= MOST_ERRORS:
        _fail(claim, error)
        return
    metrics.INGESTION_RESULTS.labels("retried").inc()
    with claim.writing() as session:
        claim.write(
            session,
            error=error.code,
            problem=error.detail[:500],
            **_released(2.0**version.attempts),
        )


def _fail(claim: Claim, error: AppError) -> None:
    log.info("a document failed", version=claim.version_id, reason=error.detail)
    with claim.writing() as session:
        claim_queries.delete_chunks(session, claim.version_id)
        # This claim ends here, and what it may have written to Qdrant goes.
        claim_queries.add_removals(session, {claim.version_id: clock.now()})
        claim.write(
            session,
            state=states.FAILED,
            error=error.code,
            problem=error.detail[:500],
            chunks=0,
            embedded=0,
            due_at=None,
            claim=None,
            claimed_until=None,
            finished_at=clock.now(),
        )
    metrics.INGESTION_RESULTS.labels("failed").inc()


def _released(seconds: float) -> dict[str, object]:
    return {
        "claim": None,
        "claimed_until": None,
        "due_at": clock.now() + timedelta(seconds=seconds),
    }
