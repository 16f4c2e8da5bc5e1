"""What the same framework can do at the most, with nothing of the service in between.

Each is an ASGI application without middleware, authentication, ORM or cache; `serve` runs one with
the service's own server and settings.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio.to_thread
import psycopg2.pool
from fastapi import FastAPI, Response
from psycopg2 import extensions
from pydantic import BaseModel

from app import settings as settings_of
from app.http import server
from app.settings import Settings

COLUMNS = ("id", "title", "diagram_type", "spec")
# Empty until the worker has begun.
Pool = list[psycopg2.pool.ThreadedConnectionPool]


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
    application, pool = _with_pool(settings)

    @application.post("/bare", status_code=201)
    def create(payload: Sent) -> Response:
        made = str(uuid.uuid4())
        with borrowed(pool) as connection, connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO bare (id, title, diagram_type, spec) VALUES (%s, %s, %s, %s)",
                (made, payload.title, payload.diagram_type, json.dumps(payload.spec)),
            )
        return Response(json.dumps({"id": made, **payload.model_dump()}), 201)

    return application


def selecting(settings: Settings) -> FastAPI:
    """An endpoint that answers with the row of one SELECT by its key, and without a transaction."""
    application, pool = _with_pool(settings)

    @application.get("/bare/{diagram_id}")
    def read(diagram_id: str) -> Response:
        with borrowed(pool) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(
                "SELECT id, title, diagram_type, spec FROM diagrams WHERE id = %s", (diagram_id,)
            )
            row = cursor.fetchone()
        if row is None:
            return Response(status_code=404)
        return Response(json.dumps(dict(zip(COLUMNS, row, strict=True))))

    return application


def _with_pool(settings: Settings) -> tuple[FastAPI, Pool]:
    """An application whose threads each find a connection in the pool."""
    pool: Pool = []

    @asynccontextmanager
    async def lifespan(_application: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.web_threads
        pool.append(connections(settings))
        yield
        pool.pop().closeall()

    return FastAPI(openapi_url=None, lifespan=lifespan), pool


def connections(settings: Settings) -> psycopg2.pool.ThreadedConnectionPool:
    password = settings.database_password
    assert password
    return psycopg2.pool.ThreadedConnectionPool(
        settings.web_threads,
        settings.web_threads,
        host=settings.database_host,
        port=settings.database_port,
        user=settings.database_user,
        password=password.get_secret_value(),
        dbname=settings.database_name,
    )


@contextmanager
def borrowed(pool: Pool) -> Iterator[extensions.connection]:
    connection = pool[0].getconn()
    try:
        yield connection
    finally:
        pool[0].putconn(connection)


PEERS = {"framework": framework, "inserting": inserting, "selecting": selecting}

if __name__ == "__main__":
    server.run_workers(PEERS[sys.argv[1]], settings_of.load())
