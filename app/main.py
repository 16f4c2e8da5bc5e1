"""The ASGI application. Wiring only."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from fastapi_swagger import patch_fastapi
from starlette.datastructures import State
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import app
from app import api
from app import settings as settings_of
from app.cache import client as clients
from app.cache.entries import Cache
from app.cache.glances import Glances
from app.completions import client as completions
from app.completions.client import LanguageModel
from app.db import engine
from app.db.session import Database
from app.db.sqlite import checkpoints
from app.diagrams.front_cache import FrontCache
from app.embedders.gate import Gate
from app.embedders.pool import Embedders
from app.http import handlers, measuring, stopping
from app.http.maintenance import Closed
from app.http.measuring import Templates
from app.http.middleware import BodyLimit, RequestLog
from app.http.origins import SameOrigin
from app.jobs.waking import Waker
from app.knowledge.answers import Answerer
from app.knowledge.events import Watchers
from app.knowledge.files import Files
from app.knowledge.search import Searcher
from app.settings import Settings
from app.status.observer import Observer
from app.usage.recorder import Recorder
from app.vectors import client as vectors
from app.vectors.guard import Guard

MB = 1024 * 1024


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
    # Nearest to the router, behind everything that may refuse a request.
    application.add_middleware(FrontCache)
    application.add_middleware(
        BodyLimit,
        limit_bytes=settings.request_body_limit_kb * 1024,
        limits_of_paths={
            api.IMPORT: settings.import_limit_mb * MB,
            # What the form has besides the file.
            api.UPLOAD: settings.knowledge_file_limit_mb * MB + 64 * 1024,
        },
    )
    application.add_middleware(SameOrigin, trusted=settings.trusted_origins)
    if settings.maintenance:
        application.add_middleware(Closed)
    # Filled in below, when all routes are there.
    templates: Templates = {}
    application.add_middleware(RequestLog, templates=templates)
    if settings.trusted_proxies:
        proxies = [str(network) for network in settings.trusted_proxies]
        application.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    api.install(application)
    # Its files come from here: the framework's own page loads them from the internet.
    patch_fastapi(application, docs_url="/docs")
    templates.update(measuring.templates(application))
    return application


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    settings: Settings = application.state.settings
    # As many threads as connections, and one of each for the recorder: see docs/adr/0002.
    anyio.to_thread.current_default_thread_limiter().total_tokens = settings.web_threads
    async with AsyncExitStack() as closing:
        _build(application.state, settings, closing)
        file = None if settings.maintenance else engine.file(settings)
        closing.enter_context(checkpoints.scheduled(file, settings.sqlite_checkpoint_s))
        application.state.stopping = closing.enter_context(stopping.noticed())
        yield


def _build(state: State, settings: Settings, closing: AsyncExitStack) -> None:
    """Puts what handlers ask for on the state. Closed in the opposite order."""
    database = closing.enter_context(
        contextlib.closing(
            Database(engine.build(settings, name="web", threads=settings.web_threads + 1))
        )
    )
    redis = closing.enter_context(contextlib.closing(clients.build(settings)))
    cache = Cache(redis)
    loop_redis = clients.build_for_loop(settings, redis.reachability)
    closing.push_async_callback(loop_redis.aclose)
    qdrant = closing.enter_context(contextlib.closing(vectors.build(settings)))
    # One thread for each: a query is short, and others want the cores as well.
    embedders = closing.enter_context(contextlib.closing(Embedders(settings, threads=1)))
    recorder = closing.enter_context(contextlib.closing(Recorder(database)))
    # Of the threads that serve requests a third each may wait for the embedder, for Qdrant, and for
    # answers; the others are for what takes none of them.
    places = max(1, settings.web_threads // 3)
    searcher = Searcher(database, qdrant, embedders, Gate(places), Guard(places))
    missing = completions.missing(settings)
    model = None if missing else LanguageModel(settings)
    if model is not None:
        closing.enter_context(contextlib.closing(model))
    state.database = database
    state.observer = Observer(database, redis, qdrant, settings)
    state.recorder = recorder
    state.redis = redis
    state.cache = cache
    state.glances = Glances(loop_redis, cache)
    state.qdrant = qdrant
    state.files = Files(settings.files_dir)
    state.searcher = searcher
    state.answerer = Answerer(searcher, recorder, Gate(places), model, missing)
    state.wake = Waker(redis).wake
    state.watchers = Watchers()
