"""What handlers ask for. All of it was built in the lifespan and hangs on the app's state."""

from typing import Annotated

from fastapi import Depends, Request
from qdrant_client import QdrantClient
from redis import Redis

from app.db.session import Database
from app.settings import Settings


def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def get_redis(request: Request) -> Redis:
    client: Redis = request.app.state.redis
    return client


def get_qdrant(request: Request) -> QdrantClient:
    client: QdrantClient = request.app.state.qdrant
    return client


SettingsOf = Annotated[Settings, Depends(get_settings)]
DatabaseOf = Annotated[Database, Depends(get_database)]
RedisOf = Annotated[Redis, Depends(get_redis)]
QdrantOf = Annotated[QdrantClient, Depends(get_qdrant)]
