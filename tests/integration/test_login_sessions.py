import time
from typing import Any

import pytest
import redis

from app.auth import sessions
from app.cache import client as caches
from app.cache.client import RedisUnavailable
from app.settings import Settings
from tests.commands import wait_until

HOUR = 3_600


def everything_in(cache: redis.Redis) -> bytes:
    keys: list[Any] = list(cache.scan_iter())
    values: list[Any] = [cache.get(key) for key in keys]
    return b" ".join([*keys, *values])


def the_key(cache: redis.Redis) -> bytes:
    [key] = cache.scan_iter()
    return bytes(key)


def test_a_token_opens_the_session_of_its_user_only(base: Settings, cache: redis.Redis) -> None:
    of_alice, of_bob = sessions.create(cache, base, 1), sessions.create(cache, base, 2)
    assert sessions.find(cache, base, of_alice) == 1
    assert sessions.find(cache, base, of_bob) == 2
    assert sessions.find(cache, base, of_alice + "x") is None
    assert sessions.find(cache, base, "") is None


def test_two_sessions_of_a_user_do_not_touch(base: Settings, cache: redis.Redis) -> None:
    laptop, phone = sessions.create(cache, base, 1), sessions.create(cache, base, 1)
    assert laptop != phone
    sessions.revoke(cache, laptop)
    assert sessions.find(cache, base, laptop) is None
    assert sessions.find(cache, base, phone) == 1


def test_to_revoke_twice_or_nothing_is_fine(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, 1)
    for _ in range(2):
        sessions.revoke(cache, token)
    sessions.revoke(cache, "nobody's")
    assert list(cache.scan_iter()) == []


def test_who_reads_redis_finds_no_token_that_works(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, 1)
    stored = everything_in(cache)
    assert b"session:" in stored
    assert token.encode() not in stored
    hashed = the_key(cache).removeprefix(b"session:").decode()
    assert sessions.find(cache, base, hashed) is None


def test_an_idle_session_ends(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, 1)
    assert 0 < cache.ttl(the_key(cache)) <= base.session_idle_hours * HOUR
    cache.pexpire(the_key(cache), 1)
    wait_until(lambda: not list(cache.scan_iter()), "the key expired")
    assert sessions.find(cache, base, token) is None


def test_a_used_session_lives_on(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, 1)
    cache.expire(the_key(cache), 60)
    assert sessions.find(cache, base, token) == 1
    assert cache.ttl(the_key(cache)) > 60


def test_a_session_ends_after_its_longest_time_however_much_it_is_used(
    base: Settings, cache: redis.Redis
) -> None:
    over = base.model_copy(update={"session_max_days": 0})
    token = sessions.create(cache, over, 1)
    assert sessions.find(cache, over, token) is None
    assert list(cache.scan_iter()) == []


def test_without_redis_there_is_no_way_in(base: Settings, closed_port: int) -> None:
    start = time.monotonic()
    with caches.build(base.model_copy(update={"redis_port": closed_port})) as dead:
        for ask in (
            lambda: sessions.create(dead, base, 1),
            lambda: sessions.find(dead, base, "token"),
            lambda: sessions.revoke(dead, "token"),
        ):
            with pytest.raises(RedisUnavailable):
                ask()
    # Threads of the service must not pile up behind a dead Redis.
    assert time.monotonic() - start < 3 * 2 * base.redis_timeout_s
