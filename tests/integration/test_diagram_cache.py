from collections.abc import Iterator
from typing import Any

import pytest
import redis

from app.cache import client as caches
from app.db.session import Database
from app.diagrams import cache as pages
from app.diagrams import queries, service
from app.diagrams.schemas import DiagramIn
from app.settings import Settings
from tests.people import ALICE, BOB


def a_diagram(title: str) -> DiagramIn:
    return DiagramIn(title=title, diagram_type="mind_map", spec={"topic": "水"})


def save(database: Database, cache: redis.Redis, title: str) -> str:
    with database.begin() as session:
        made = service.create(session, Settings(), ALICE.id, a_diagram(title))
    pages.forget_list(cache, ALICE.id)
    return made.id


def titles(database: Database, cache: redis.Redis, user_id: int = ALICE.id) -> list[str]:
    page = service.list_page(database, cache, user_id, limit=20, cursor=None)
    return [item.title for item in page.items]


@pytest.fixture
def dead(base: Settings, closed_port: int) -> Iterator[redis.Redis]:
    with caches.build(base.model_copy(update={"redis_port": closed_port})) as client:
        yield client


def test_a_page_that_was_read_before_a_write_and_stored_after_it_is_never_shown(
    database: Database, cache: redis.Redis
) -> None:
    save(database, cache, "old")
    # A reader asks for the version, finds no page, and reads the database ...
    version = pages.list_version(cache, ALICE.id)
    assert version
    assert pages.find_page(cache, ALICE.id, version, 20) is None
    with database.read() as session:
        seen = queries.list_page(session, ALICE.id, 21, None)
    stale = service.DiagramPage(items=seen, next_cursor=None)
    # ... a writer commits ...
    save(database, cache, "new")
    # ... and now the reader stores what it has seen.
    pages.store_page(cache, ALICE.id, version, 20, stale.model_dump_json())
    assert titles(database, cache) == ["new", "old"]


def test_a_version_that_was_lost_never_comes_back(database: Database, cache: redis.Redis) -> None:
    save(database, cache, "one")
    assert titles(database, cache) == ["one"]
    version = pages.list_version(cache, ALICE.id)
    # The write reaches the database while Redis loses its keys.
    with database.begin() as session:
        service.create(session, Settings(), ALICE.id, a_diagram("two"))
    cache.delete(*[key for key in cache.scan_iter() if b"version" in key])
    assert pages.list_version(cache, ALICE.id) != version
    assert titles(database, cache) == ["two", "one"]


def test_the_version_stays_until_a_write(cache: redis.Redis) -> None:
    first = pages.list_version(cache, ALICE.id)
    assert first == pages.list_version(cache, ALICE.id)
    assert first != pages.list_version(cache, BOB.id)
    pages.forget_list(cache, ALICE.id)
    assert first != pages.list_version(cache, ALICE.id)


def test_everything_in_the_cache_expires(database: Database, cache: redis.Redis) -> None:
    save(database, cache, "one")
    titles(database, cache)
    lives: dict[bytes, Any] = {key: cache.ttl(key) for key in cache.scan_iter()}
    assert len(lives) == 2
    assert all(0 < ttl <= 86_400 for ttl in lives.values()), lives


def test_without_redis_the_list_comes_from_the_database(
    database: Database, cache: redis.Redis, dead: redis.Redis
) -> None:
    save(database, dead, "one")
    assert titles(database, dead) == ["one"]
    save(database, dead, "two")
    assert titles(database, dead) == ["two", "one"]
    assert titles(database, dead, BOB.id) == []
    assert list(cache.scan_iter()) == []


def test_a_page_in_the_cache_equals_the_one_from_the_database(
    database: Database, cache: redis.Redis
) -> None:
    for at in range(3):
        save(database, cache, f"{at} 🌱 \" \\ '")
    asked = [service.list_page(database, cache, ALICE.id, limit=2, cursor=None) for _ in range(2)]
    assert asked[0] == asked[1]
    cursor = asked[0].next_cursor
    assert cursor
    rest = [service.list_page(database, cache, ALICE.id, limit=2, cursor=cursor) for _ in range(2)]
    assert rest[0] == rest[1]
    assert [item.title[0] for item in (*asked[0].items, *rest[0].items)] == ["2", "1", "0"]
