"""Copies in Redis of what the database has: never older than it, and made once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from pydantic import BaseModel

from app.cache import client as clients
from app.cache import keys
from app.cache.entries import LARGEST, Cache
from app.settings import Settings
from tests.commands import wait_until

KEY = keys.user(7)
TTL = timedelta(minutes=5)


class Store:
    """Stands for the database: one value, and how often it was read."""

    def __init__(self, value: str | None = "old") -> None:
        self.value = value
        self.reads = 0

    def load(self) -> str | None:
        self.reads += 1
        return self.value


def connected(client: clients.Client) -> Cache:
    client.ping()
    # What is stored in the millisecond of the first connection isn't believed.
    time.sleep(0.002)
    return Cache(client)


@pytest.fixture
def copies(cache: clients.Client) -> Cache:
    return connected(cache)


@pytest.fixture
def dead(base: Settings, closed_port: int) -> Iterator[clients.Client]:
    with clients.build(base.model_copy(update={"redis_port": closed_port})) as client:
        yield client


def text(found: str | bytes | None) -> str | None:
    return found.decode() if isinstance(found, bytes) else found


def read(copies: Cache, store: Store) -> str | None:
    return text(copies.read(KEY, TTL, store.load))


def test_the_database_is_read_once(copies: Cache) -> None:
    store = Store()
    assert [read(copies, store) for _ in range(5)] == ["old"] * 5
    assert store.reads == 1


def test_what_was_changed_is_read_again(copies: Cache) -> None:
    store = Store()
    read(copies, store)
    with copies.changing(KEY):
        store.value = "new"
    assert read(copies, store) == "new"


def test_a_change_that_failed_is_no_reason_to_keep_a_copy(copies: Cache) -> None:
    store = Store()
    read(copies, store)
    with suppress(RuntimeError), copies.changing(KEY):
        store.value = "committed, and then the connection broke"
        raise RuntimeError
    assert read(copies, store) == store.value


def test_during_a_change_readers_read_the_database_and_keep_nothing(
    copies: Cache, cache: redis.Redis
) -> None:
    store = Store()
    with copies.changing(KEY):
        assert read(copies, store) == "old"
        assert cache.get(KEY) is None
        store.value = "new"
    assert cache.keys("*") == []
    assert read(copies, store) == "new"


def test_what_was_read_before_a_change_is_not_kept_after_it(
    copies: Cache, cache: redis.Redis
) -> None:
    store = Store()

    def load_slowly() -> str | None:
        seen = store.load()
        with copies.changing(KEY):
            store.value = "new"
        return seen

    assert text(copies.read(KEY, TTL, load_slowly)) == "old"
    assert cache.get(KEY) is None
    assert read(copies, store) == "new"


def test_a_flush_while_somebody_reads_keeps_nothing_old(copies: Cache, cache: redis.Redis) -> None:
    store = Store()

    def load_slowly() -> str | None:
        seen = store.load()
        cache.flushdb()
        with copies.changing(KEY):
            store.value = "new"
        return seen

    copies.read(KEY, TTL, load_slowly)
    assert read(copies, store) == "new"


def test_the_end_of_one_change_is_not_the_end_of_another(copies: Cache, cache: redis.Redis) -> None:
    store = Store()
    first = copies.changing(KEY)
    second = copies.changing(KEY)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert read(copies, store) == "old"
    assert cache.get(KEY) is None
    store.value = "new"
    second.__exit__(None, None, None)
    assert read(copies, store) == "new"


def test_whoever_dies_in_a_change_leaves_no_way_to_keep_a_copy(
    copies: Cache, cache: redis.Redis
) -> None:
    store = Store()
    read(copies, store)
    # As a kill would, between the commit and the end.
    killed = copies.changing(KEY)
    killed.__enter__()
    store.value = "new"
    assert [read(copies, store) for _ in range(3)] == ["new"] * 3
    remaining: Any = cache.pttl(keys.lease(KEY))
    assert 0 < remaining <= 60_000
    killed.__exit__(None, None, None)


def test_many_who_miss_a_copy_read_the_database_once(copies: Cache) -> None:
    store = Store()
    gate = threading.Event()

    def load_slowly() -> str | None:
        gate.wait(10)
        return store.load()

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(copies.read, KEY, TTL, load_slowly) for _ in range(20)]
        gate.set()
        assert {text(one.result()) for one in asked} == {"old"}
    assert store.reads == 1


def test_who_waits_in_vain_reads_the_database(copies: Cache, cache: redis.Redis) -> None:
    cache.set(keys.lease(KEY), "r:somebody who died", px=60_000)
    assert read(copies, Store()) == "old"


def test_a_reader_that_fails_leaves_no_lease(copies: Cache, cache: redis.Redis) -> None:
    def fail() -> str | None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        copies.read(KEY, TTL, fail)
    assert cache.keys("*") == []
    assert read(copies, Store()) == "old"


@pytest.mark.parametrize("value", [None, "x" * (LARGEST + 1)])
def test_nothing_and_too_much_are_not_kept(
    copies: Cache, cache: redis.Redis, value: str | None
) -> None:
    store = Store(value)
    assert [read(copies, store) for _ in range(2)] == [value] * 2
    assert cache.keys("*") == []


def test_everything_that_is_kept_expires(copies: Cache, cache: redis.Redis) -> None:
    read(copies, Store())
    life: Any = cache.pttl(KEY)
    assert 0 < life <= TTL.total_seconds() * 1000
    assert cache.keys("*") == [KEY.encode()]


def test_without_redis_the_database_answers_and_it_is_counted(dead: clients.Client) -> None:
    store = Store()
    copies = Cache(dead)
    before = clients.failed_open["cache"]
    assert read(copies, store) == "old"
    with copies.changing(KEY):
        store.value = "new"
    assert read(copies, store) == "new"
    assert clients.failed_open["cache"] > before


def test_a_copy_that_could_not_be_forgotten_is_not_read_and_soon_gone(
    base: Settings, cache: redis.Redis
) -> None:
    store = Store()
    password = base.redis_password
    assert password
    with clients.build(base) as own:
        copies = Cache(own)
        read(copies, store)
        # This client may not write any more, as if the network to Redis was cut.
        own.connection_pool.connection_kwargs["port"] = 1
        own.connection_pool.reset()
        with copies.changing(KEY):
            store.value = "new"
        kept: Any = cache.get(KEY)
        assert kept.endswith(b" old")
        assert read(copies, store) == "new"
        own.connection_pool.connection_kwargs["port"] = base.redis_port
        own.connection_pool.reset()
        wait_until(lambda: cache.get(KEY) is None, "the old copy is gone")
        assert read(copies, store) == "new"


def test_a_copy_from_before_the_connection_is_not_believed(
    base: Settings, cache: clients.Client
) -> None:
    """Redis may have been away, and somebody could not forget the copy meanwhile."""
    store = Store()
    read(Cache(cache), store)
    store.value = "new"
    with clients.build(base) as other:
        copies = connected(other)
        assert read(copies, store) == "new"
        store.value = "newer, and forgotten by nobody"
        assert read(copies, store) == "new"
        # As after a restart of the server.
        other.connection_pool.disconnect()
        assert read(copies, store) == store.value


def test_a_copy_that_a_broken_connection_brings_is_not_believed(
    base: Settings, cache: clients.Client
) -> None:
    store = Store()
    with clients.build(base) as own:
        copies = Cache(own)
        read(copies, store)
        assert read(copies, store) == "old"
        store.value = "new"
        # The server closes the connection; the client finds out when it asks for the copy.
        number: Any = own.client_id()
        cache.client_kill_filter(_id=number)
        assert read(copies, store) == "new"


def test_a_full_redis_keeps_no_old_copy(copies: Cache, cache: redis.Redis) -> None:
    store = Store()
    read(copies, store)
    limit: Any = cache.config_get("maxmemory")
    cache.config_set("maxmemory", 1)
    try:
        with copies.changing(KEY):
            store.value = "new"
        assert cache.get(KEY) is None
        assert read(copies, store) == "new"
    finally:
        cache.config_set("maxmemory", limit["maxmemory"])


class Shape(BaseModel):
    number: int
    name: str | None
    at: datetime


def test_a_copy_equals_its_original_in_every_field(copies: Cache) -> None:
    original = Shape(number=2**53, name='爱丽丝 👩‍🏫\u2028"\\', at=datetime.now(UTC))
    found = [copies.read_as(KEY, TTL, Shape, lambda: original) for _ in range(2)]
    assert found == [original, original]


@pytest.mark.parametrize("stored", [b"no json", b"{}", b'{"number": "x"}', b"\xff"])
def test_a_copy_of_another_shape_counts_as_none(
    copies: Cache, cache: redis.Redis, stored: bytes
) -> None:
    seconds: Any = cache.time()
    cache.set(KEY, b"%d " % (seconds[0] * 1000 + 1000) + stored, ex=60)
    original = Shape(number=1, name=None, at=datetime.now(UTC))
    assert copies.read_as(KEY, TTL, Shape, lambda: original) == original


def test_who_asks_after_a_change_was_acknowledged_never_gets_an_older_copy(
    cache: clients.Client,
) -> None:
    """Two writers and three readers, with flushes in between."""
    value = acknowledged = 0
    committing = threading.Lock()
    stop = threading.Event()
    copies = Cache(cache)

    def write() -> None:
        nonlocal value, acknowledged
        for _ in range(150):
            with copies.changing(KEY), committing:
                value += 1
                mine = value
            with committing:
                acknowledged = max(acknowledged, mine)

    def look() -> None:
        while not stop.is_set():
            oldest = acknowledged
            found = copies.read(KEY, TTL, lambda: str(value))
            assert found is not None
            assert int(found) >= oldest

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(look) for _ in range(3)]
        writers = [pool.submit(write) for _ in range(2)]
        for _ in range(20):
            cache.flushdb()
        for one in writers:
            one.result()
        stop.set()
        for one in readers:
            one.result()
    assert int(copies.read(KEY, TTL, lambda: str(value)) or 0) == value == 300
