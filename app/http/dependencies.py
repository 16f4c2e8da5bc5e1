"""What handlers ask for. All of it was built in the lifespan and hangs on the app's state.

The getters are coroutines because a plain function would be sent through the pool of threads.
"""

from typing import Annotated

from fastapi import Depends, Request
from redis import Redis

from app.cache.entries import Cache
from app.db.session import Database
from app.settings import Settings


async def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def get_redis(request: Request) -> Redis:
    client: Redis = request.app.state.redis
    return client


async def get_cache(request: Request) -> Cache:
    cache: Cache = request.app.state.cache
    return cache


CacheOf = Annotated[Cache, Depends(get_cache)]
SettingsOf = Annotated[Settings, Depends(get_settings)]
DatabaseOf = Annotated[Database, Depends(get_database)]
RedisOf = Annotated[Redis, Depends(get_redis)]
