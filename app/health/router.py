from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Response

import app
from app.health import checks
from app.health.schemas import Alive, Readiness
from app.http.dependencies import DatabaseOf, QdrantOf, RedisOf

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> Alive:
    """The process answers; nothing else is asked."""
    return Alive(status="ok", version=app.__version__)


@router.get("/readyz", responses={503: {"model": Readiness}})
async def ready(
    response: Response, database: DatabaseOf, redis: RedisOf, qdrant: QdrantOf
) -> Readiness:
    """Every service that this one needs answers and the schema is the right one; else 503."""
    # Not in a thread of the pool that requests use: all of them may hang in a dead database.
    readiness = await to_thread.run_sync(
        checks.readiness, database, redis, qdrant, limiter=CapacityLimiter(1)
    )
    if not readiness.ready:
        response.status_code = 503
    return readiness
