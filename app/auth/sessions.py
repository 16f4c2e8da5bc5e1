"""Sessions: opaque tokens, kept in Redis by their hash. Without Redis there is no pass: 503."""

import hashlib
import json
import secrets
import time
from typing import cast

from redis import Redis

from app.cache import client, keys
from app.settings import Settings

TOKEN_BYTES = 32


def create(redis: Redis, settings: Settings, user_id: int) -> str:
    """Opens a session and returns its token.

    It ends when it was idle for `session_idle_hours`, and after `session_max_days` in any case.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    ends = int(time.time()) + settings.session_max_days * 86_400
    value = json.dumps({"user_id": user_id, "ends": ends})
    with client.strict():
        redis.set(_key(token), value, ex=_idle_s(settings))
    return token


def find(redis: Redis, settings: Settings, token: str) -> int | None:
    """The user id of a live session, which lives on from now; None for any other token."""
    key = _key(token)
    with client.strict():
        value = cast(bytes | None, redis.getex(key, ex=_idle_s(settings)))
        if value is None:
            return None
        stored = json.loads(value)
        if stored["ends"] <= time.time():
            redis.delete(key)
            return None
    return int(stored["user_id"])


def revoke(redis: Redis, token: str) -> None:
    with client.strict():
        redis.delete(_key(token))


def _idle_s(settings: Settings) -> int:
    return settings.session_idle_hours * 3_600


def _key(token: str) -> str:
    # Who reads Redis or its backup finds no token that works.
    return keys.session(hashlib.sha256(token.encode()).hexdigest())
