import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from app.cache import client as clients
from app.cache import keys, limits
from app.cache.limits import Rule, Standing
from app.settings import Settings
from tests.commands import wait_until

FEW = Rule("few", 3, 60)
MANY = Rule("many", 100, 60)
QUICK = Rule("quick", 2, 1)


def take(cache: redis.Redis, *counted: tuple[Rule, str]) -> Standing:
    standing = limits.take(cache, counted)
    assert standing
    return standing


def test_as_many_as_the_quota_pass_at_once_and_no_more(cache: redis.Redis) -> None:
    seen = [take(cache, (FEW, "a")) for _ in range(5)]
    assert [one.refused for one in seen] == [False, False, False, True, True]
    assert [one.remaining for one in seen] == [2, 1, 0, 0, 0]
    # One comes back every 20 seconds, and all are back after 60.
    assert [one.reset_s for one in seen[:3]] == [20, 40, 60]
    assert all(19 <= one.reset_s <= 20 for one in seen[3:])


def test_each_is_counted_alone(cache: redis.Redis) -> None:
    for _ in range(3):
        take(cache, (FEW, "a"))
    assert take(cache, (FEW, "a")).refused
    assert not take(cache, (FEW, "b")).refused
    assert not take(cache, (MANY, "a")).refused


def test_a_request_that_one_rule_refuses_is_taken_from_none(cache: redis.Redis) -> None:
    for _ in range(3):
        take(cache, (FEW, "a"), (MANY, "a"))
    before = cache.get(keys.rate("many", "a"))
    refused = take(cache, (MANY, "a"), (FEW, "a"))
    assert (refused.refused, refused.tightest) == (True, FEW)
    assert cache.get(keys.rate("many", "a")) == before


def test_the_headers_name_the_rules_and_the_tightest(cache: redis.Redis) -> None:
    standing = take(cache, (MANY, "a"), (FEW, "a"))
    assert standing.headers == {
        "ratelimit-policy": '"many";q=100;w=60, "few";q=3;w=60',
        "ratelimit": '"few";r=2;t=20',
    }


def test_what_was_taken_comes_back(cache: redis.Redis) -> None:
    for _ in range(2):
        take(cache, (QUICK, "a"))
    assert take(cache, (QUICK, "a")).refused
    wait_until(lambda: not take(cache, (QUICK, "a")).refused, "half a second later one is back")


def test_what_is_kept_expires_with_the_window(cache: redis.Redis) -> None:
    for _ in range(3):
        take(cache, (FEW, "a"), (MANY, "b"))
    lives: dict[bytes, Any] = {key: cache.pttl(key) for key in cache.scan_iter()}
    assert len(lives) == 2
    assert all(0 < life <= 60_000 for life in lives.values())


def test_one_round_trip_takes_from_all_rules(
    cache: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(cache, (FEW, "a"))
    sent = []
    kind = cache.connection_pool.connection_class
    send = kind.send_packed_command

    def send_and_note(*arguments: Any, **options: Any) -> None:
        sent.append(arguments)
        send(*arguments, **options)

    monkeypatch.setattr(kind, "send_packed_command", send_and_note)
    take(cache, (FEW, "b"), (MANY, "b"), (QUICK, "b"))
    assert len(sent) == 1


def test_in_parallel_exactly_the_quota_passes(cache: redis.Redis) -> None:
    slow = Rule("slow", 50, 3_600)
    start = threading.Barrier(20)

    def ask() -> int:
        start.wait()
        return sum(not take(cache, (slow, "a")).refused for _ in range(10))

    with ThreadPoolExecutor(20) as pool:
        assert sum(one.result() for one in [pool.submit(ask) for _ in range(20)]) == 50


@pytest.fixture
def dead(base: Settings, closed_port: int) -> Iterator[redis.Redis]:
    with clients.build(base.model_copy(update={"redis_port": closed_port})) as client:
        yield client


def test_without_redis_everybody_passes_and_it_is_counted(dead: redis.Redis) -> None:
    before = clients.failed_open["limits"]
    assert limits.take(dead, [(FEW, "a")]) is None
    assert clients.failed_open["limits"] == before + 1


@given(quota=st.integers(1, 1_000), window=st.integers(60, 86_400), asked=st.integers(1, 40))
def test_any_rule_lets_its_quota_pass_at_once(
    servers: Any, quota: int, window: int, asked: int
) -> None:
    rule = Rule("any", quota, window)
    with redis.Redis(
        host="127.0.0.1", port=servers.redis_port, password=servers.redis_password, db=0
    ) as cache:
        whose = f"{quota}-{window}-{threading.get_native_id()}"
        cache.delete(keys.rate("any", whose))
        passed = [not take(cache, (rule, whose)).refused for _ in range(asked)]
        cache.delete(keys.rate("any", whose))
    first_refused = passed.index(False) if False in passed else asked
    # One more may have come back meanwhile.
    assert first_refused >= min(asked, quota)
    if window / quota > 30:
        assert first_refused == min(asked, quota)
