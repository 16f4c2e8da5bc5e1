from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from app import metrics
from app.admin.dependencies import Admin
from app.admin.errors import NotAnAdministrator
from app.health import checks
from app.http.dependencies import SettingsOf
from app.http.documentation import raises
from app.http.routes import Route
from app.status import families, page, service
from app.status.errors import WrongToken
from app.status.observer import Observer
from app.status.schemas import StatusOut

# The page is for people, the metrics are for machines with a token of their own.
router = APIRouter(route_class=Route, include_in_schema=False)
api = APIRouter(route_class=Route, tags=["status"])


async def get_observer(request: Request) -> Observer:
    observer: Observer = request.app.state.observer
    return observer


ObserverOf = Annotated[Observer, Depends(get_observer)]


async def reader(
    settings: SettingsOf, authorization: Annotated[str | None, Header()] = None
) -> None:
    """Raises WrongToken; where no token is set there is no such page."""
    if settings.metrics_token is None:
        raise HTTPException(404)
    if not metrics.is_allowed(settings.metrics_token, authorization):
        raise WrongToken


@router.get("/metrics", dependencies=[Depends(reader)])
def read_metrics(settings: SettingsOf, observer: ObserverOf) -> Response:
    """All that is counted and measured, in Prometheus's text format."""
    text = metrics.render(lambda: families.collect(settings, observer))
    return Response(text, media_type=metrics.MEDIA_TYPE)


async def get_services(request: Request) -> checks.Services:
    state = request.app.state
    return checks.Services(
        state.database, state.redis, state.qdrant, maintenance=state.settings.maintenance
    )


ServicesOf = Annotated[checks.Services, Depends(get_services)]


@api.get("/status", responses=raises(NotAnAdministrator))
def read_status(
    _: Admin, services: ServicesOf, observer: ObserverOf, settings: SettingsOf
) -> StatusOut:
    """How the installation is: services, jobs, documents, backups. `/admin/status` is a page of
    it."""
    return service.look(services, observer, settings)


@router.get("/admin/status")
def show_status(
    _: Admin, services: ServicesOf, observer: ObserverOf, settings: SettingsOf
) -> HTMLResponse:
    shown = page.render(service.look(services, observer, settings))
    return HTMLResponse(shown, headers=page.HEADERS)
