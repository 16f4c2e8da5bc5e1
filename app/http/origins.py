"""Keeps other sites' pages from sending requests with a user's cookie.

Browsers say where a request comes from, programs say nothing and carry no cookie that somebody
else could use: so nobody needs a token, and API clients need nothing (docs/adr/0006).
"""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import Forbidden
from app.http.responses import error_response

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class CrossSiteRequest(Forbidden):
    """This request comes from a page of another site; TRUSTED_ORIGINS names those that may."""


class SameOrigin:
    """Refuses a request that changes something and comes from a page of another site."""

    def __init__(self, app: ASGIApp, trusted: tuple[str, ...] = ()) -> None:
        self.app = app
        self.trusted = frozenset(origin.lower() for origin in trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE and self._is_foreign(scope):
            await error_response(CrossSiteRequest())(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        headers = {name: value.decode("latin-1").lower() for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        if origin in self.trusted:
            return False
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        # Older browsers send no more than the origin; what sends neither is no browser.
        return origin is not None and _host(origin) != headers.get(b"host")


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
