from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response

from app import metrics
from app.http.dependencies import SettingsOf
from app.status import families
from app.status.errors import WrongToken
from app.status.observer import Observer

# For machines, and behind a token of its own: not in the document of the API.
router = APIRouter(include_in_schema=False)


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
