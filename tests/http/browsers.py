"""The service in this process with its lifespan, and browsers that talk to it over ASGI."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import event

from app.auth import sessions
from app.auth.dependencies import SESSION_COOKIE
from app.http import server
from app.main import create_app
from app.settings import Settings
from tests import commands
from tests.people import Person


class Browser:
    """Keeps cookies. Its requests run in the event loop that the lifespan runs in."""

    def __init__(
        self, app: FastAPI, portal: BlockingPortal, base_url: str, peer: str = "127.0.0.1"
    ) -> None:
        transport = httpx.ASGITransport(app, client=(peer, 50_000))
        self._client = httpx.AsyncClient(transport=transport, base_url=base_url)
        self._portal = portal

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        if "json" in options:
            # Half a surrogate pair passes as an escape, as a browser would send it.
            options["content"] = json.dumps(options.pop("json"))
            options["headers"] = {"content-type": "application/json"} | options.get("headers", {})
        return self._portal.call(partial(self._client.request, method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    def post_in_pieces(self, path: str, pieces: list[bytes]) -> httpx.Response:
        """A body of JSON whose length is not declared and which arrives bit by bit."""

        async def body() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        headers = {"content-type": "application/json"}
        return self.post(path, content=body(), headers=headers)


class Service:
    """The running service."""

    def __init__(self, settings: Settings, app: FastAPI, portal: BlockingPortal) -> None:
        self.settings = settings
        self.app = app
        self.portal = portal

    def browser(self, peer: str = "127.0.0.1") -> Browser:
        """One that nobody is logged in with, whose requests come from the address `peer`."""
        scheme = "https" if self.settings.production else "http"
        return Browser(self.app, self.portal, f"{scheme}://mindgraph.test", peer)

    def browser_of(self, person: Person) -> Browser:
        """One in which somebody has a session. To log in would hash a password, which is slow."""
        made = self.browser()
        token = sessions.create(self.app.state.redis, self.settings, person.id)
        made.cookies.set(SESSION_COOKIE, token, domain="mindgraph.test", path="/")
        return made

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collects the SQL statements of the block."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        engine = self.app.state.database.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)


@contextmanager
def listening(settings: Settings) -> Iterator[str]:
    """The service on a port of its own, for what only a real connection shows; its address."""
    with server.listen(settings.model_copy(update={"app_port": 0})) as listener:
        config = uvicorn.Config(create_app(settings), log_config=None, access_log=False)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        try:
            commands.wait_until(lambda: running.started, "the service has started")
            host, port = listener.getsockname()[:2]
            yield f"http://{host}:{port}"
        finally:
            running.should_exit = True
            thread.join()


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    app = create_app(settings)
    with start_blocking_portal() as portal:
        lifespan = app.router.lifespan_context(app)
        with portal.wrap_async_context_manager(lifespan):
            yield Service(settings, app, portal)
