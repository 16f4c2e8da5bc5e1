"""Answers the most frequent request of all before the router sees it: somebody with a session reads
a diagram of which Redis has a copy. See docs/adr/0018.

One round trip tells who is asking, counts the request and brings the copy. Everything else passes
on to the router, uncounted, as if nobody had looked.
"""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth import sessions
from app.auth.dependencies import SESSION_COOKIE, by_shortcut
from app.cache import keys
from app.cache.glances import as_model
from app.cache.limits import RateLimited
from app.diagrams import router
from app.diagrams.schemas import DiagramOut
from app.http import etags
from app.http.responses import error_response

# The ids that the service makes. The router knows others, from before PostgreSQL, as well.
PATH = re.compile("/api/diagrams/([0-9a-f-]{36})")
KEYS = ("authorization", "x-api-key")


class FrontCache:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await _answer(scope) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)


async def _answer(scope: Scope) -> Response | None:
    found = PATH.fullmatch(scope["path"]) if scope["method"] == "GET" else None
    request = Request(scope)
    if found is None or any(name in request.headers for name in KEYS):
        return None
    token = request.cookies.get(SESSION_COOKIE, "")
    user_id = sessions.user_of(token)
    if user_id is None:
        return None
    # For those who count requests by their endpoint.
    scope["endpoint"] = router.read
    try:
        passed = await by_shortcut(request, token, user_id, also=[keys.diagram(user_id, found[1])])
    except RateLimited as refusal:
        return error_response(refusal)
    return _read(request, passed.copies[0]) if passed else None


def _read(request: Request, content: bytes) -> Response | None:
    diagram = as_model(DiagramOut, content)
    if diagram is None:
        return None
    headers = {"ETag": diagram.etag}
    if etags.has(request.headers.get("if-none-match"), diagram.etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")
