"""Pages of a user's list in Redis.

Pages are stored under the version that the list had before the database was asked, and every
write gives the list a new version: a page that was read just before a write can't be found after
it. The version is random, so one that was lost never comes back.
"""

import secrets
from typing import cast

from redis import Redis

from app.cache import client, keys


def list_version(redis: Redis, user_id: int) -> str | None:
    """The list's version, made where there is none; None without Redis."""
    key = keys.diagram_list_version(user_id)
    with client.lenient():
        fresh = secrets.token_hex(8)
        stored = cast(
            bytes | None,
            redis.set(key, fresh, nx=True, get=True, ex=keys.DIAGRAM_LIST_VERSION_TTL),
        )
        return stored.decode() if stored else fresh
    return None


def find_page(redis: Redis, user_id: int, version: str, page: str) -> bytes | None:
    with client.lenient():
        return cast(bytes | None, redis.get(keys.diagram_list(user_id, version, page)))
    return None


def store_page(redis: Redis, user_id: int, version: str, page: str, content: str) -> None:
    with client.lenient():
        redis.set(keys.diagram_list(user_id, version, page), content, ex=keys.DIAGRAM_LIST_TTL)


def forget_list(redis: Redis, user_id: int) -> None:
    """Call it after the commit."""
    with client.lenient():
        redis.set(
            keys.diagram_list_version(user_id),
            secrets.token_hex(8),
            ex=keys.DIAGRAM_LIST_VERSION_TTL,
        )
