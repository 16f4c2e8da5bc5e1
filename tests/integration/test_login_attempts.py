import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from app.auth import attempts
from app.auth.attempts import FIRST_LOCK, FREE_FAILURES, LONGEST_LOCK, TRIAL
from app.auth.errors import LoginLocked
from app.cache import client as caches
from app.cache.client import RedisUnavailable
from app.settings import Settings
from tests.people import ALICE, BOB


def fail(cache: redis.Redis, times: int, login: str = ALICE.login) -> None:
    for _ in range(times):
        attempts.note_failure(cache, login)


def locked_s(cache: redis.Redis, login: str = ALICE.login) -> int:
    """For how long the name is locked; 0 where it isn't. Lets no attempt pass."""
    found = attempts.locked_until(cache, [login]).get(login)
    return round(found.timestamp() - time.time()) if found else 0


def lift_lock(cache: redis.Redis, login: str = ALICE.login) -> None:
    """As if the time of the lock had passed."""
    cache.delete(attempts._keys(login)[1])


def test_a_name_is_locked_after_some_failures_in_a_row(cache: redis.Redis) -> None:
    fail(cache, FREE_FAILURES - 1)
    attempts.admit(cache, ALICE.login)
    fail(cache, 1)
    with pytest.raises(LoginLocked) as refused:
        attempts.admit(cache, ALICE.login)
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= FIRST_LOCK.total_seconds()
    attempts.admit(cache, BOB.login)


def test_each_further_failure_doubles_the_lock_up_to_the_longest(cache: redis.Redis) -> None:
    fail(cache, FREE_FAILURES - 1)
    locks = []
    for _ in range(40):
        fail(cache, 1)
        locks.append(locked_s(cache) / 60)
    assert locks[:6] == pytest.approx([1, 2, 4, 8, 15, 15], abs=0.1)
    assert locks[-1] == pytest.approx(LONGEST_LOCK.total_seconds() / 60, abs=0.1)


def test_what_is_refused_prolongs_nothing(cache: redis.Redis) -> None:
    fail(cache, FREE_FAILURES)
    cache.pexpire(attempts._keys(ALICE.login)[1], 30_000)
    for _ in range(20):
        with pytest.raises(LoginLocked):
            attempts.admit(cache, ALICE.login)
    assert 0 < locked_s(cache) <= 30
    lift_lock(cache)
    assert attempts.note_failure(cache, ALICE.login) == FREE_FAILURES + 1


def test_after_a_lock_one_password_is_tried_at_a_time(cache: redis.Redis) -> None:
    fail(cache, FREE_FAILURES)
    lift_lock(cache)
    with ThreadPoolExecutor(8) as threads:
        passed = list(threads.map(lambda _: passes(cache), range(24)))
    assert passed.count(True) == 1
    assert 0 < locked_s(cache) <= TRIAL.total_seconds()
    fail(cache, 1)
    assert locked_s(cache) > FIRST_LOCK.total_seconds()


def passes(cache: redis.Redis) -> bool:
    try:
        attempts.admit(cache, ALICE.login)
    except LoginLocked:
        return False
    return True


def test_unlocking_forgets_the_failures(cache: redis.Redis) -> None:
    fail(cache, FREE_FAILURES + 3)
    attempts.unlock(cache, ALICE.login)
    assert locked_s(cache) == 0
    assert attempts.note_failure(cache, ALICE.login) == 1


def test_parallel_failures_count_exactly(cache: redis.Redis) -> None:
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: attempts.note_failure(cache, ALICE.login), range(50)))
    assert sorted(counts) == list(range(1, 51))


def test_the_locks_of_many_names_are_found_in_one_answer(cache: redis.Redis) -> None:
    fail(cache, FREE_FAILURES)
    assert list(attempts.locked_until(cache, [BOB.login, ALICE.login])) == [ALICE.login]
    assert attempts.locked_until(cache, []) == {}


def test_redis_holds_no_names_and_forgets_all_of_it(cache: redis.Redis) -> None:
    fail(cache, FREE_FAILURES)
    stored = list(cache.scan_iter())
    assert len(stored) == 2
    for key in stored:
        assert b"alice" not in key
        assert 0 < cache.ttl(key) <= 86_400


def test_without_redis_nobody_is_admitted(base: Settings, closed_port: int) -> None:
    with caches.build(base.model_copy(update={"redis_port": closed_port})) as dead:
        for ask in (
            lambda: attempts.admit(dead, ALICE.login),
            lambda: attempts.note_failure(dead, ALICE.login),
            lambda: attempts.unlock(dead, ALICE.login),
            lambda: attempts.locked_until(dead, [ALICE.login]),
        ):
            with pytest.raises(RedisUnavailable):
                ask()
