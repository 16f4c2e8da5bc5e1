from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

import app
from app.health import checks
from app.health.schemas import Alive, Readiness
from app.http.routes import Route

router = APIRouter(route_class=Route, tags=["health"])

# However many ask: each question to a database that hangs holds threads.
ONE_AT_A_TIME = CapacityLimiter(1)


async def get_services(request: Request) -> checks.Services:
    state = request.app.state
    return checks.Services(
        state.database, state.redis, state.qdrant, maintenance=state.settings.maintenance
    )


ServicesOf = Annotated[checks.Services, Depends(get_services)]


@router.get("/healthz")
async def alive() -> Alive:
    """The process answers; nothing else is asked."""
    return Alive(status="ok", version=app.__version__)


@router.get("/readyz", responses={503: {"model": Readiness}})
async def ready(response: Response, services: ServicesOf) -> Readiness:
    """Every service that this one needs answers and the schema is the right one; else 503."""
    # Not in a thread of the pool that requests use: all of them may hang in a dead database.
    readiness = await to_thread.run_sync(checks.readiness, services, limiter=ONE_AT_A_TIME)
    if not readiness.ready:
        response.status_code = 503
    return readiness
