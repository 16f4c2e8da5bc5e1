"""Pure ASGI middleware: no per-request task, no copy of the body."""

import re
import time
import uuid
from collections.abc import Mapping

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics
from app.errors import InternalError, PayloadTooLarge
from app.http import measuring
from app.http.measuring import Templates
from app.http.responses import RESPONSE_HEADERS, error_response

log = structlog.get_logger("app.access")

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
}
# Called all the time by machines; a line for each would drown the rest.
QUIET_PATHS = frozenset({"/healthz", "/metrics", "/readyz"})
LONGEST_REQUEST_ID = 64


class RequestLog:
    """Gives each request an id, puts it on every log line and the response, and logs and counts the
    outcome.

    A well-formed X-Request-ID of the client is kept, so that a request can be followed through
    a proxy.
    """

    def __init__(self, app: ASGIApp, templates: Templates) -> None:
        self.app = app
        self.templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        metrics.REQUESTS_IN_PROGRESS.inc()
        try:
            await self._answer(scope, receive, send)
        finally:
            metrics.REQUESTS_IN_PROGRESS.dec()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        # What is put there by the handlers of this request is seen here.
        state = scope.setdefault("state", {})
        status = 500
        started = False
        start = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                own = {"x-request-id": request_id, **state.get(RESPONSE_HEADERS, {})}
                _add_headers(message, own)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_headers)
            except Exception:
                log.exception("a bug", path=scope["path"])
                if started:
                    raise
                await error_response(InternalError())(scope, receive, send_with_headers)
            finally:
                seconds = time.perf_counter() - start
                measuring.note(self.templates, scope, status, seconds)
                if scope["path"] not in QUIET_PATHS or status >= 500:
                    _log_outcome(scope, status, seconds)


def _add_headers(message: Message, own: Mapping[str, str]) -> None:
    headers = MutableHeaders(scope=message)
    headers.update(own)
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


def _log_outcome(scope: Scope, status: int, seconds: float) -> None:
    log.info(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(seconds * 1000, 1),
        client=(scope.get("client") or ("?",))[0],
    )


def _request_id(scope: Scope) -> str:
    given = _header(scope, b"x-request-id")
    plain = given.isascii() and given.replace("-", "").isalnum()
    if plain and 8 <= len(given) <= LONGEST_REQUEST_ID:
        return given
    return uuid.uuid4().hex


def _header(scope: Scope, name: bytes) -> str:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


class BodyLimit:
    """Refuses a body above the limit: at once by its declared length, else while it is read.

    Some paths have limits of their own: the whole path matches the pattern.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit_bytes: int,
        limits_of_paths: Mapping[re.Pattern[str], int] | None = None,
    ) -> None:
        self.app = app
        self.limit_bytes = limit_bytes
        self.limits_of_paths = limits_of_paths or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        declared = _header(scope, b"content-length")
        if declared.isdigit() and int(declared) > limit:
            await error_response(PayloadTooLarge(_too_large(limit)))(scope, receive, send)
            return
        await self.app(scope, self._counted(receive, limit), send)

    def _limit(self, path: str) -> int:
        own = (limit for pattern, limit in self.limits_of_paths.items() if pattern.fullmatch(path))
        return next(own, self.limit_bytes)

    def _counted(self, receive: Receive, limit: int) -> Receive:
        size = 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                # FastAPI lets this one pass while it reads a body, and calls all others a 400.
                raise HTTPException(PayloadTooLarge.status, _too_large(limit))
            return message

        return receive_counted


def _too_large(limit_bytes: int) -> str:
    return f"The request body may have {limit_bytes // 1024} KB at most."
