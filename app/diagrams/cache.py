"""The first page of a user's list in Redis, for each length that was asked for.

Pages are stored under the version that the list had before the database was asked, and every
write gives the list a new version: a page that was read just before a write can't be found after
it. The version is random, so one that was lost never comes back.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from redis import Redis

from app.cache import client, keys


def list_version(redis: Redis, user_id: int) -> str | None:
    """The list's version, made where there is none; None without Redis."""
    key = keys.diagram_list_version(user_id)
    with client.lenient("cache"):
        fresh = secrets.token_hex(8)
        stored = cast(
            bytes | None,
            redis.set(key, fresh, nx=True, get=True, ex=keys.DIAGRAM_LIST_VERSION_TTL),
        )
        return stored.decode() if stored else fresh
    return None


def find_page(redis: Redis, user_id: int, version: str, limit: int) -> bytes | None:
    with client.lenient("cache"):
        return cast(bytes | None, redis.get(keys.diagram_list(user_id, version, limit)))
    return None


def store_page(redis: Redis, user_id: int, version: str, limit: int, content: str) -> None:
    with client.lenient("cache"):
        redis.set(keys.diagram_list(user_id, version, limit), content, ex=keys.DIAGRAM_LIST_TTL)


@contextmanager
def list_changing(redis: Redis, user_id: int) -> Iterator[None]:
    """Goes around the transaction of a write, its commit included.

    The list gets a new version before it as well: a Redis that dies in between comes back with
    what it had, and that must be no page from before the write.
    """
    forget_list(redis, user_id)
    try:
        yield
    finally:
        # Also after an error: a commit whose answer was lost may have been made.
        forget_list(redis, user_id)


def forget_list(redis: Redis, user_id: int) -> None:
    """Ends the list's version. The next reader makes a new one.

    A deletion, because a full Redis refuses everything else.
    """
    with client.lenient("cache"):
        redis.delete(keys.diagram_list_version(user_id))
