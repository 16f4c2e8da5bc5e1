"""Answers the most frequent requests before the router sees them: somebody with a session reads a
diagram, or the beginning of the list, of which Redis has a copy. See docs/adr/0018.

One round trip tells who is asking, counts the request and brings the copy. Everything else passes
on to the router, uncounted, as if nobody had looked.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.dependencies import SESSION_COOKIE, by_shortcut
from app.cache import keys
from app.cache.glances import as_model
from app.cache.limits import RateLimited
from app.diagrams import cache, router, service
from app.diagrams.schemas import DiagramOut
from app.http import etags
from app.http.responses import error_response

LIST = "/api/diagrams"
# The ids that the service makes. The router knows others, from before PostgreSQL, as well.
ONE = re.compile(f"{LIST}/([0-9a-f-]{{36}})")
LIMIT = re.compile(rb"(?:limit=([1-9][0-9]?))?")
USUAL_LIMIT = 20
KEYS = ("authorization", "x-api-key")


@dataclass(frozen=True)
class Asked:
    """What a request asks for: the key of its copy by the user's id, and how the copy is answered
    with. The handler is the one that would answer else, for those who count requests."""

    handler: Callable[..., Any]
    key: Callable[[int], str]
    answer: Callable[[Request, bytes], Response | None]


class FrontCache:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope)
        answer = await _answer(Request(scope), asked) if asked else None
        await (answer or self.app)(scope, receive, send)


def _asked(scope: Scope) -> Asked | None:
    """None for what there never is a copy of."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    if found := ONE.fullmatch(scope["path"]):
        return Asked(router.read, partial(_key_of_one, found[1]), _one)
    if scope["path"] == LIST and (limited := LIMIT.fullmatch(scope["query_string"])):
        limit = int(limited[1] or USUAL_LIMIT)
        if limit <= cache.BEGINNING:
            return Asked(router.list_page, keys.diagram_list, partial(_page, limit))
    return None


async def _answer(request: Request, asked: Asked) -> Response | None:
    if any(name in request.headers for name in KEYS):
        return None
    request.scope["endpoint"] = asked.handler
    try:
        token = request.cookies.get(SESSION_COOKIE)
        passed = await by_shortcut(request, token, also=asked.key)
    except RateLimited as refusal:
        return error_response(refusal)
    return asked.answer(request, passed.copies[0]) if passed else None


def _key_of_one(diagram_id: str, user_id: int) -> str:
    return keys.diagram(user_id, diagram_id)


def _one(request: Request, content: bytes) -> Response | None:
    diagram = as_model(DiagramOut, content)
    if diagram is None:
        return None
    headers = {"ETag": diagram.etag}
    if etags.has(request.headers.get("if-none-match"), diagram.etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def _page(limit: int, _request: Request, content: bytes) -> Response | None:
    beginning = as_model(cache.Beginning, content)
    if beginning is None:
        return None
    page = service.page_of(beginning.items, limit)
    return Response(page.model_dump_json(), media_type="application/json")
