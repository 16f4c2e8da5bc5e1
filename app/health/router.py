from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

import app
from app.health import checks
from app.health.schemas import Alive, Readiness

router = APIRouter(tags=["health"])

# However many ask: each question to a database that hangs holds threads.
ONE_AT_A_TIME = CapacityLimiter(1)


async def get_services(request: Request) -> checks.Services:
    state = request.app.state
    return checks.Services(
        state.database, state.redis, state.qdrant, maintenance=state.settings.maintenance
    )


ServicesOf = Annotated[checks.Services, Depends(get_services)]


@router.get("/healthz", responses={503: {"model": Alive}})
async def alive(request: Request, response: Response) -> Alive:
    """The process answers; nothing else is asked. 503 while a proxy should use another one."""
    drain = request.app.state.settings.drain_file
    is_draining = drain is not None and drain.exists()
    if is_draining:
        response.status_code = 503
    return Alive(status="draining" if is_draining else "ok", version=app.__version__)


@router.get("/readyz", responses={503: {"model": Readiness}})
async def ready(response: Response, services: ServicesOf) -> Readiness:
    """Every service that this one needs answers and the schema is the right one; else 503."""
    # Not in a thread of the pool that requests use: all of them may hang in a dead database.
    readiness = await to_thread.run_sync(checks.readiness, services, limiter=ONE_AT_A_TIME)
    if not readiness.ready:
        response.status_code = 503
    return readiness
