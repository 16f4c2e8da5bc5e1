"""The HTTP side: key, body, errors and the frame that every answer of Qdrant has."""

import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Never

import metrics
from errors import ApiError, BadRequest, Unsupported
from routes import ROUTES, Ask, Handler
from settings import Settings
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from store import Store

log = logging.getLogger("qdrant")
# The release of the real server whose REST API is followed; clients compare it with their own.
API_VERSION = "1.19.1"
OPEN_PATHS = {"/", "/healthz", "/livez", "/readyz"}
CHECKS = {
    "/healthz": "healthz check passed",
    "/livez": "livez check passed",
    "/readyz": "all shards are ready",
}
# They mean nothing to one node with one shard, where every write is ordered and waited for.
IDLE_PARAMETERS = {"wait", "timeout", "ordering", "consistency"}
# What the real server serves besides; anything else is a wrong address.
UNSERVED = ("snapshots", "shards", "cluster", "groups", "matrix", "recommend", "discover")
UNSERVED_ROOTS = ("telemetry", "dashboard", "issues", "locks", "debugger")
# How the engine's errors begin that aren't the client's doing.
INTERNAL = ("Service runtime error", "Inconsistent storage", "Out of memory", "Operation is cancel")

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(settings: Settings, store: Store, engine: str) -> Starlette:
    routes = [Route("/", greeting(engine))]
    routes += [Route(path, answering(text)) for path, text in CHECKS.items()]
    routes += [Route("/metrics", measuring(store))]
    routes += [
        Route(path, endpoint(handler, store, settings), methods=[method])
        for method, path, handler in ROUTES
    ]
    app = Starlette(routes=routes, exception_handlers={404: unrouted, 405: unrouted})
    app.router.redirect_slashes = False
    app.add_middleware(ApiKey, key=settings.api_key)
    return app


class ApiKey:
    """Lets only requests with the key through, except to the open paths."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self.app = app
        self.key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.key or scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"api-key") or headers.get(b"authorization", b"")
        if hmac.compare_digest(given.removeprefix(b"Bearer "), self.key):
            await self.app(scope, receive, send)
            return
        why = "Invalid API key" if given else "Must provide an API key"
        await failed(ApiError(401, why), time.perf_counter())(scope, receive, send)


def greeting(engine: str) -> Endpoint:
    title = f"qdrant - vector search engine (offline image: {engine})"
    body = {"title": title, "version": API_VERSION, "offline": engine}

    async def greet(_: Request) -> Response:
        return JSONResponse(body)

    return greet


def answering(text: str) -> Endpoint:
    async def answer(_: Request) -> Response:
        return PlainTextResponse(text)

    return answer


def measuring(store: Store) -> Endpoint:
    async def measure(_: Request) -> Response:
        return PlainTextResponse(await run_in_threadpool(metrics.text, store, API_VERSION))

    return measure


def endpoint(handler: Handler, store: Store, settings: Settings) -> Endpoint:
    async def run(request: Request) -> Response:
        started = time.perf_counter()
        try:
            raw = await read_body(request, settings.max_request_bytes)
            ask = Ask(store, request.path_params, None, wait_from(request))
            result = await run_in_threadpool(handle, handler, raw, ask)
        except ApiError as error:
            return failed(error, started)
        if isinstance(result, Path):
            return FileResponse(result, media_type="application/octet-stream")
        elapsed = time.perf_counter() - started
        return JSONResponse({"result": result, "status": "ok", "time": elapsed})

    return run


def handle(handler: Handler, raw: bytes, ask: Ask) -> Any:
    """Runs one request; whatever goes wrong leaves as an ApiError."""
    try:
        return handler(ask.about(parsed(raw)))
    except ApiError:
        raise
    except Exception as error:
        raise refusal_of(error) from error
    except BaseException as error:
        # A panic of the engine is no Exception in Python, but it must not end the server.
        log.exception("the engine panicked")
        raise ApiError(500, f"Service internal error: {error}") from error


def refusal_of(error: Exception) -> ApiError:
    # The engine raises plain Exceptions; any other kind is a mistake in this server.
    if type(error) is Exception and not str(error).startswith(INTERNAL):
        return BadRequest(str(error))
    log.error("a request failed", exc_info=error)
    return ApiError(500, f"Service internal error: {error}")


async def read_body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ApiError(413, f"Payload error: the body is larger than {limit} bytes.")
    return bytes(body)


def parsed(raw: bytes) -> Any:
    if not raw:
        return {}
    try:
        body = json.loads(raw, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"Format error in JSON body: {error}") from error
    return {} if body is None else body


def refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON number")


def wait_from(request: Request) -> bool:
    unknown = sorted(request.query_params.keys() - IDLE_PARAMETERS)
    if unknown:
        raise Unsupported(f"request parameter `{unknown[0]}`")
    return request.query_params.get("wait") == "true"


async def unrouted(request: Request, error: Exception) -> Response:
    parts = request.url.path.strip("/").split("/")
    if set(parts[2:]) & set(UNSERVED) or parts[0] in (*UNSERVED, *UNSERVED_ROOTS):
        refusal: ApiError = Unsupported(f"endpoint {request.method} {request.url.path}")
    elif getattr(error, "status_code", 404) == 405:
        refusal = Unsupported(f"endpoint {request.method} {request.url.path}")
    else:
        refusal = ApiError(404, f"Not found: {request.method} {request.url.path}")
    return failed(refusal, time.perf_counter())


def failed(error: ApiError, started: float) -> Response:
    body = {"status": {"error": error.message}, "time": time.perf_counter() - started}
    return JSONResponse(body, status_code=error.status)
