"""Keeps everybody out while the database is moved or restored."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import Unavailable
from app.http.responses import error_response

# For those who watch over the service.
OPEN = frozenset({"/healthz", "/metrics", "/readyz"})


class Maintenance(Unavailable):
    """The service is under maintenance; try again in a few minutes."""

    retry_after = 120


class Closed:
    """Refuses every request before anything looks at it, so that none touches the database."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            await error_response(Maintenance())(scope, receive, send)
            return
        await self.app(scope, receive, send)
