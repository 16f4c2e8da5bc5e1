"""What the same framework can do at the most, with nothing of the service in between.

Each is an ASGI application without middleware, authentication, ORM or cache; `serve` runs one with
the service's own server and settings.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import psycopg2.pool
from fastapi import FastAPI, Response
from pydantic import BaseModel

from app import settings as settings_of
from app.http import server
from app.settings import Settings


class Sent(BaseModel):
    title: str
    diagram_type: str
    spec: dict[str, Any]


def framework(_settings: Settings) -> FastAPI:
    """An endpoint that answers with JSON."""
    application = FastAPI(openapi_url=None)
    answer = json.loads(os.environ["ANSWER"])

    @application.get("/answer")
    async def read() -> dict[str, Any]:
        return dict(answer)

    return application


def inserting(settings: Settings) -> FastAPI:
    """An endpoint that checks a body and commits one INSERT."""
    password = settings.database_password
    assert password

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.web_threads
        pool = psycopg2.pool.ThreadedConnectionPool(
            settings.web_threads,
            settings.web_threads,
            host=settings.database_host,
            port=settings.database_port,
            user=settings.database_user,
            password=password.get_secret_value(),
            dbname=settings.database_name,
        )
        application.state.pool = pool
        yield
        pool.closeall()

    application = FastAPI(openapi_url=None, lifespan=lifespan)

    @application.post("/bare", status_code=201)
    def create(payload: Sent) -> Response:
        made = str(uuid.uuid4())
        connection = application.state.pool.getconn()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO bare (id, title, diagram_type, spec) VALUES (%s, %s, %s, %s)",
                    (made, payload.title, payload.diagram_type, json.dumps(payload.spec)),
                )
        finally:
            application.state.pool.putconn(connection)
        return Response(json.dumps({"id": made, **payload.model_dump()}), 201)

    return application


if __name__ == "__main__":
    server.run_workers(
        {"framework": framework, "inserting": inserting}[sys.argv[1]], settings_of.load()
    )
