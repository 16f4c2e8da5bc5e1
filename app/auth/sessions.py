"""Sessions: opaque tokens, kept in Redis by their hash. Without Redis there is no pass: 503.

A session is alive while its value is there and its hash is in the index of its user. The token
begins with the user's id, so that both are asked for in one round trip, and to take a hash out of
the index ends a session at once, whatever becomes of its value.
"""

import hashlib
import json
import re
import secrets
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import cast

from redis import Redis

from app import metrics
from app.auth.schemas import SessionOut
from app.cache import client, keys, scripts
from app.settings import Settings

TOKEN_BYTES = 32
TOKEN = re.compile(r"([0-9]{1,18})\.[A-Za-z0-9_-]{43}")
LONGEST_AGENT = 200

# Opens a session and takes the oldest ones above the limit out of the index, whose hashes it
# returns. No later session counts as older, even where a clock was set back.
OPEN = """
for at = 7, #ARGV do
    redis.call('ZREM', KEYS[2], ARGV[at])
end
local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local score = math.max(tonumber(ARGV[4]), tonumber(newest[2] or '-1') + 1)
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%d', score), ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[6])
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if over <= 0 then
    return {}
end
local oldest = redis.call('ZRANGE', KEYS[2], 0, over - 1)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1)
return oldest
"""


@dataclass(frozen=True)
class Device:
    """What a session is opened from, as its owner will recognize it."""

    address: str | None = None
    agent: str | None = None


@dataclass(frozen=True)
class Session:
    id: str
    user_id: int
    # Over when it differs from the user's: the password was changed since.
    epoch: int
    # Unix time, in seconds.
    created_at: int
    ends: int
    address: str | None
    agent: str | None


def create(
    redis: Redis, settings: Settings, user_id: int, *, epoch: int = 0, device: Device | None = None
) -> str:
    """Opens a session and returns its token.

    It ends when it was idle for `session_idle_hours`, after `session_max_days` in any case, and
    when its user opens `session_device_limit` others.
    """
    token = f"{user_id}.{secrets.token_urlsafe(TOKEN_BYTES)}"
    made = _made(settings, user_id, epoch, device or Device())
    gone = [token_hash for token_hash, value, _ in _stored(redis, user_id) if value is None]
    with client.strict():
        evicted = scripts.run(
            redis,
            OPEN,
            [keys.session(hash_of(token)), keys.sessions_of(user_id)],
            json.dumps(asdict(made)),
            idle_s(settings),
            hash_of(token),
            time.time_ns() // 1000,
            settings.session_device_limit,
            _longest_s(settings),
            *gone,
        )
    _close(redis, user_id, [one.decode() for one in evicted])
    metrics.SESSIONS_OPENED.inc()
    return token


def find(redis: Redis, settings: Settings, token: str) -> Session | None:
    """The live session of a token, which lives on from now; None for any other token.

    Whoever lets somebody pass compares its epoch with the user's.
    """
    user_id = user_of(token)
    if user_id is None:
        return None
    with client.strict(), redis.pipeline(transaction=False) as pipeline:
        pipeline.getex(keys.session(hash_of(token)), ex=idle_s(settings))
        pipeline.zscore(keys.sessions_of(user_id), hash_of(token))
        value, score = pipeline.execute()
    if value is None:
        return None
    found = Session(**json.loads(value))
    if score is None or found.ends <= time.time():
        _close(redis, user_id, [hash_of(token)])
        return None
    return found


def list_all(
    redis: Redis, settings: Settings, user_id: int, epoch: int, token: str | None
) -> list[SessionOut]:
    """The live sessions of a user in this epoch, the newest first; `token` is the current one."""
    stored = _stored(redis, user_id)
    _close(redis, user_id, [token_hash for token_hash, value, _ in stored if value is None])
    current = hash_of(token) if token else None
    now = time.time()
    shown = []
    for token_hash, value, left_ms in stored:
        one = Session(**json.loads(value)) if value else None
        if one and one.epoch == epoch and one.ends > now:
            # It was given its whole time when it was last seen.
            seen = now - (idle_s(settings) - left_ms / 1000)
            shown.append(_shown(one, min(max(seen, one.created_at), now), token_hash == current))
    return shown


def revoke(redis: Redis, token: str) -> None:
    user_id = user_of(token)
    if user_id is not None:
        _close(redis, user_id, [hash_of(token)])


def revoke_one(redis: Redis, user_id: int, session_id: str) -> bool:
    """Ends the session with this id if it is the user's. Returns whether there was one."""
    mine = [
        token_hash
        for token_hash, value, _ in _stored(redis, user_id)
        if value and json.loads(value)["id"] == session_id
    ]
    _close(redis, user_id, mine)
    return bool(mine)


def revoke_all(redis: Redis, user_id: int) -> None:
    index = keys.sessions_of(user_id)
    with client.strict():
        hashes = cast(list[bytes], redis.zrange(index, 0, -1))
        redis.delete(index, *(keys.session(one.decode()) for one in hashes))


def _made(settings: Settings, user_id: int, epoch: int, device: Device) -> Session:
    now = int(time.time())
    return Session(
        id=secrets.token_urlsafe(12),
        user_id=user_id,
        epoch=epoch,
        created_at=now,
        ends=now + _longest_s(settings),
        address=device.address,
        agent=device.agent[:LONGEST_AGENT] if device.agent else None,
    )


def _shown(one: Session, seen: float, is_current: bool) -> SessionOut:
    return SessionOut(
        id=one.id,
        created_at=datetime.fromtimestamp(one.created_at, UTC),
        last_seen_at=datetime.fromtimestamp(int(seen), UTC),
        ends_at=datetime.fromtimestamp(one.ends, UTC),
        address=one.address,
        agent=one.agent,
        current=is_current,
    )


def _stored(redis: Redis, user_id: int) -> list[tuple[str, bytes | None, int]]:
    """The hash, the value and the milliseconds left of each session in a user's index.

    The newest comes first; the value is None where a session was idle for too long.
    """
    with client.strict():
        hashes = cast(list[bytes], redis.zrange(keys.sessions_of(user_id), 0, -1, desc=True))
        with redis.pipeline(transaction=False) as pipeline:
            for one in hashes:
                pipeline.get(keys.session(one.decode()))
                pipeline.pttl(keys.session(one.decode()))
            answers = pipeline.execute()
    return [
        (one.decode(), value, left_ms)
        for one, value, left_ms in zip(hashes, answers[::2], answers[1::2], strict=True)
    ]


def _close(redis: Redis, user_id: int, hashes: list[str]) -> None:
    if not hashes:
        return
    with client.strict(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zrem(keys.sessions_of(user_id), *hashes)
        pipeline.delete(*(keys.session(one) for one in hashes))
        pipeline.execute()


def user_of(token: str) -> int | None:
    """Who a token says that it belongs to; None for what is none."""
    found = TOKEN.fullmatch(token)
    return int(found[1]) if found else None


def hash_of(token: str) -> str:
    # Who reads Redis or its backup finds no token that works.
    return hashlib.sha256(token.encode()).hexdigest()


def idle_s(settings: Settings) -> int:
    return settings.session_idle_hours * 3_600


def _longest_s(settings: Settings) -> int:
    return settings.session_max_days * 86_400
