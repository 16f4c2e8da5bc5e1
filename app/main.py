"""The ASGI application. Wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi_swagger import patch_fastapi
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import app
from app import api
from app import settings as settings_of
from app.cache import client as clients
from app.cache.entries import Cache
from app.db import engine
from app.db.session import Database
from app.db.sqlite import checkpoints
from app.http import handlers
from app.http.maintenance import Closed
from app.http.middleware import BodyLimit, RequestLog
from app.http.origins import SameOrigin
from app.settings import Settings
from app.usage.recorder import Recorder
from app.vectors import client as vectors


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service for these settings (the environment's by default).

    Nothing connects before the lifespan begins, so the app may be built before a fork.
    """
    settings = settings or settings_of.load()
    application = FastAPI(
        title="MindGraph",
        version=app.__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    application.state.settings = settings
    handlers.install(application)
    application.add_middleware(
        BodyLimit,
        limit_bytes=settings.request_body_limit_kb * 1024,
        limits_of_paths={api.IMPORT: settings.import_limit_mb * 1024 * 1024},
    )
    application.add_middleware(SameOrigin, trusted=settings.trusted_origins)
    if settings.maintenance:
        application.add_middleware(Closed)
    application.add_middleware(RequestLog)
    if settings.trusted_proxies:
        proxies = [str(network) for network in settings.trusted_proxies]
        application.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    api.install(application)
    # Its files come from here: the framework's own page loads them from the internet.
    patch_fastapi(application, docs_url="/docs")
    return application


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    settings: Settings = application.state.settings
    # As many threads as connections, and one of each for the recorder: see docs/adr/0002.
    anyio.to_thread.current_default_thread_limiter().total_tokens = settings.web_threads
    database = Database(engine.build(settings, name="web", threads=settings.web_threads + 1))
    redis = clients.build(settings)
    qdrant = vectors.build(settings)
    recorder = Recorder(database)
    application.state.database = database
    application.state.recorder = recorder
    application.state.redis = redis
    application.state.cache = Cache(redis)
    application.state.qdrant = qdrant
    try:
        file = None if settings.maintenance else engine.file(settings)
        with checkpoints.scheduled(file, settings.sqlite_checkpoint_s):
            yield
    finally:
        recorder.close()
        qdrant.close()
        redis.close()
        database.close()
