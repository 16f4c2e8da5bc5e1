import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from app.auth import sessions
from app.auth.sessions import Device
from app.cache import client as caches
from app.cache import keys
from app.cache.client import RedisUnavailable
from app.settings import Settings
from tests.commands import wait_until

HOUR = 3_600
DAY = 86_400
ALICE, BOB = 1, 2


def user_of(cache: redis.Redis, base: Settings, token: str) -> int | None:
    found = sessions.find(cache, base, token)
    return found.user_id if found else None


def alive(cache: redis.Redis, base: Settings, tokens: list[str]) -> list[bool]:
    return [sessions.find(cache, base, token) is not None for token in tokens]


def values_in(cache: redis.Redis) -> list[bytes]:
    found: list[Any] = list(cache.scan_iter("session:*"))
    return found


def members(cache: redis.Redis) -> list[bytes]:
    found: Any = cache.zrange(keys.sessions_of(ALICE), 0, -1)
    return list(found)


def the_key(cache: redis.Redis) -> bytes:
    [key] = values_in(cache)
    return key


def limited(base: Settings, devices: int) -> Settings:
    return base.model_copy(update={"session_device_limit": devices})


def listed(cache: redis.Redis, base: Settings, token: str | None = None, epoch: int = 0) -> Any:
    return sessions.list_all(cache, base, ALICE, epoch, token)


def test_a_token_opens_the_session_of_its_user_only(base: Settings, cache: redis.Redis) -> None:
    of_alice, of_bob = sessions.create(cache, base, ALICE), sessions.create(cache, base, BOB)
    assert user_of(cache, base, of_alice) == ALICE
    assert user_of(cache, base, of_bob) == BOB
    of_nobody = [of_alice + "x", of_alice[:-1], "", "1.", ".x", f"{BOB}{of_alice[1:]}"]
    of_nobody += [f"{'9' * 30}{of_alice[1:]}", f"٣{of_alice[1:]}", of_alice.replace(".", ":")]
    assert alive(cache, base, of_nobody) == [False] * len(of_nobody)


def test_two_sessions_of_a_user_do_not_touch(base: Settings, cache: redis.Redis) -> None:
    laptop, phone = sessions.create(cache, base, ALICE), sessions.create(cache, base, ALICE)
    assert laptop != phone
    sessions.revoke(cache, laptop)
    assert alive(cache, base, [laptop, phone]) == [False, True]


def test_to_revoke_twice_or_nothing_is_fine(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, ALICE)
    for _ in range(2):
        sessions.revoke(cache, token)
    sessions.revoke(cache, "nobody's")
    assert list(cache.scan_iter()) == []


def test_who_reads_redis_finds_no_token_that_works(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, ALICE)
    key = the_key(cache)
    value: Any = cache.get(key)
    [indexed] = members(cache)
    secret = token.partition(".")[2].encode()
    assert all(secret not in stored for stored in (key, value, indexed))
    hashed = key.removeprefix(b"session:").decode()
    guesses = [hashed, f"{ALICE}.{hashed}", f"{ALICE}.{hashed[:43]}"]
    assert alive(cache, base, guesses) == [False] * 3


def test_a_session_tells_where_it_was_opened(base: Settings, cache: redis.Redis) -> None:
    device = Device("192.0.2.7", "Browser/1.0 " + "x" * 500)
    before = int(time.time())
    found = sessions.find(cache, base, sessions.create(cache, base, ALICE, epoch=3, device=device))
    assert found is not None
    assert (found.user_id, found.epoch, found.address) == (ALICE, 3, "192.0.2.7")
    assert found.agent == ("Browser/1.0 " + "x" * 500)[:200]
    assert found.ends - found.created_at == base.session_max_days * DAY
    assert before <= found.created_at <= time.time()


def test_everything_expires(base: Settings, cache: redis.Redis) -> None:
    sessions.create(cache, base, ALICE)
    assert 0 < cache.ttl(the_key(cache)) <= base.session_idle_hours * HOUR
    left = cache.ttl(keys.sessions_of(ALICE))
    assert base.session_idle_hours * HOUR < left <= base.session_max_days * DAY


def test_an_idle_session_ends(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, ALICE)
    cache.pexpire(the_key(cache), 1)
    wait_until(lambda: not values_in(cache), "the key expired")
    assert sessions.find(cache, base, token) is None


def test_a_used_session_lives_on(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, ALICE)
    cache.expire(the_key(cache), 60)
    assert user_of(cache, base, token) == ALICE
    assert cache.ttl(the_key(cache)) > 60


def test_a_session_ends_after_its_longest_time_however_much_it_is_used(
    base: Settings, cache: redis.Redis
) -> None:
    token = sessions.create(cache, base, ALICE)
    key = the_key(cache)
    stored: Any = cache.get(key)
    cache.set(key, json.dumps(json.loads(stored) | {"ends": int(time.time())}), ex=HOUR)
    assert listed(cache, base) == []
    assert sessions.find(cache, base, token) is None
    assert list(cache.scan_iter()) == []


def test_the_oldest_device_goes_when_there_is_one_too_many(
    base: Settings, cache: redis.Redis
) -> None:
    three = limited(base, 3)
    of_bob = sessions.create(cache, three, BOB)
    tokens = [sessions.create(cache, three, ALICE) for _ in range(5)]
    assert alive(cache, three, tokens) == [False, False, True, True, True]
    assert user_of(cache, three, of_bob) == BOB
    assert len(values_in(cache)) == 4


def test_a_session_that_ended_by_itself_pushes_no_living_one_out(
    base: Settings, cache: redis.Redis
) -> None:
    three = limited(base, 3)
    oldest = sessions.create(cache, three, ALICE)
    kept: bytes = the_key(cache)
    for _ in range(2):
        sessions.create(cache, three, ALICE)
    cache.delete(*(key for key in values_in(cache) if key != kept))
    newest = [sessions.create(cache, three, ALICE) for _ in range(2)]
    assert alive(cache, three, [oldest, *newest]) == [True] * 3


def test_the_newest_session_stays_when_the_clock_was_set_back(
    base: Settings, cache: redis.Redis
) -> None:
    one = limited(base, 1)
    sessions.create(cache, one, ALICE)
    index = keys.sessions_of(ALICE)
    [member] = members(cache)
    cache.zadd(index, {member: (time.time() + DAY) * 1_000_000})
    newest = sessions.create(cache, one, ALICE)
    assert user_of(cache, one, newest) == ALICE
    assert [one.current for one in listed(cache, one, newest)] == [True]


def test_parallel_logins_keep_the_device_limit_exactly(base: Settings, cache: redis.Redis) -> None:
    four = limited(base, 4)
    with ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(lambda _: sessions.create(cache, four, ALICE), range(40)))
    assert alive(cache, four, tokens).count(True) == 4
    assert len(values_in(cache)) == 4


def test_the_list_has_the_newest_first_and_marks_the_current_one(
    base: Settings, cache: redis.Redis
) -> None:
    agents = ["laptop", "phone", "tablet"]
    tokens = [
        sessions.create(cache, base, ALICE, device=Device("192.0.2.7", agent)) for agent in agents
    ]
    sessions.create(cache, base, BOB)
    shown = listed(cache, base, tokens[1])
    assert [(one.agent, one.current) for one in shown] == [
        ("tablet", False),
        ("phone", True),
        ("laptop", False),
    ]
    assert not any(one.current for one in listed(cache, base))


def test_last_seen_is_when_the_session_was_used_last(base: Settings, cache: redis.Redis) -> None:
    token = sessions.create(cache, base, ALICE)
    key = the_key(cache)
    stored: Any = cache.get(key)
    hour_ago = int(time.time()) - HOUR
    cache.set(key, json.dumps(json.loads(stored) | {"created_at": hour_ago}), ex=HOUR)
    cache.expire(key, base.session_idle_hours * HOUR - 600)
    [unused] = listed(cache, base)
    assert 500 < time.time() - unused.last_seen_at.timestamp() < 700
    sessions.find(cache, base, token)
    [used] = listed(cache, base)
    assert unused.last_seen_at < used.last_seen_at
    assert used.created_at.timestamp() == hour_ago


def test_sessions_of_another_epoch_are_not_listed(base: Settings, cache: redis.Redis) -> None:
    sessions.create(cache, base, ALICE, epoch=0, device=Device(agent="old"))
    sessions.create(cache, base, ALICE, epoch=1, device=Device(agent="new"))
    assert [one.agent for one in listed(cache, base, epoch=1)] == ["new"]


def test_the_list_forgets_what_expired(base: Settings, cache: redis.Redis) -> None:
    sessions.create(cache, base, ALICE)
    cache.delete(the_key(cache))
    assert listed(cache, base) == []
    assert list(cache.scan_iter()) == []


def test_one_session_is_ended_by_its_id_and_only_by_its_user(
    base: Settings, cache: redis.Redis
) -> None:
    laptop, phone = sessions.create(cache, base, ALICE), sessions.create(cache, base, ALICE)
    found = sessions.find(cache, base, laptop)
    assert found is not None
    assert not sessions.revoke_one(cache, BOB, found.id)
    assert alive(cache, base, [laptop, phone]) == [True, True]
    assert sessions.revoke_one(cache, ALICE, found.id)
    assert not sessions.revoke_one(cache, ALICE, found.id)
    assert alive(cache, base, [laptop, phone]) == [False, True]


def test_all_sessions_of_a_user_end_at_once(base: Settings, cache: redis.Redis) -> None:
    tokens = [sessions.create(cache, base, ALICE) for _ in range(3)]
    of_bob = sessions.create(cache, base, BOB)
    sessions.revoke_all(cache, ALICE)
    assert alive(cache, base, [*tokens, of_bob]) == [False, False, False, True]
    assert len(values_in(cache)) == 1
    sessions.revoke_all(cache, ALICE)


def test_a_session_that_left_the_index_is_over_though_its_value_is_there(
    base: Settings, cache: redis.Redis
) -> None:
    token = sessions.create(cache, base, ALICE)
    cache.delete(keys.sessions_of(ALICE))
    assert sessions.find(cache, base, token) is None
    assert list(cache.scan_iter()) == []


def test_without_redis_there_is_no_way_in(base: Settings, closed_port: int) -> None:
    token = f"{ALICE}.{'x' * 43}"
    start = time.monotonic()
    with caches.build(base.model_copy(update={"redis_port": closed_port})) as dead:
        for ask in (
            lambda: sessions.create(dead, base, ALICE),
            lambda: sessions.find(dead, base, token),
            lambda: sessions.list_all(dead, base, ALICE, 0, token),
            lambda: sessions.revoke(dead, token),
            lambda: sessions.revoke_one(dead, ALICE, "id"),
            lambda: sessions.revoke_all(dead, ALICE),
        ):
            with pytest.raises(RedisUnavailable):
                ask()
    # Threads of the service must not pile up behind a dead Redis.
    assert time.monotonic() - start < 6 * 2 * base.redis_timeout_s
