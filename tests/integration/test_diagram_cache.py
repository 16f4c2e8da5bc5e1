"""Copies of diagrams and of the list: equal to what the database has, field by field."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from app.cache import client as caches
from app.cache.entries import Cache
from app.db.session import Database
from app.diagrams import cache as pages
from app.diagrams import service
from app.diagrams.errors import DiagramNotFound
from app.diagrams.schemas import DiagramIn
from app.settings import Settings
from tests.people import ALICE, BOB

SETTINGS = Settings(environment="test")


def a_diagram(title: str) -> DiagramIn:
    spec = {"topic": title, "children": [{"text": "水 💧", "weight": 1.0}], "x": -0.5, "y": None}
    return DiagramIn(title=title, diagram_type="mind_map", language="zh", spec=spec)


@pytest.fixture
def copies(cache: caches.Client) -> Cache:
    return Cache(cache)


@pytest.fixture
def without(base: Settings, closed_port: int) -> Iterator[Cache]:
    """As it is without Redis."""
    with caches.build(base.model_copy(update={"redis_port": closed_port})) as client:
        yield Cache(client)


def save(database: Database, copies: Cache, title: str) -> str:
    with pages.changing(copies, ALICE.id), database.begin() as session:
        return service.create(session, SETTINGS, ALICE.id, a_diagram(title)).id


def titles(database: Database, copies: Cache, user_id: int = ALICE.id) -> list[str]:
    page = service.list_page(database, copies, user_id, limit=20, cursor=None)
    return [item.title for item in page.items]


def test_a_diagram_in_the_cache_equals_the_one_from_the_database(
    database: Database, copies: Cache
) -> None:
    made = save(database, copies, "光合作用 🌱 \" \\ '\u2028")
    fresh = service.find(database, copies, ALICE.id, made)
    with database.begin() as session:
        session.connection().exec_driver_sql("DELETE FROM diagrams")
    copied = service.find(database, copies, ALICE.id, made)
    assert copied == fresh
    for field in type(fresh).model_fields:
        assert repr(getattr(copied, field)) == repr(getattr(fresh, field)), field
    assert copied.etag == fresh.etag


def test_a_diagram_is_copied_for_its_owner_only(database: Database, copies: Cache) -> None:
    made = save(database, copies, "of alice")
    service.find(database, copies, ALICE.id, made)
    with pytest.raises(DiagramNotFound):
        service.find(database, copies, BOB.id, made)


@pytest.mark.parametrize("limit", [1, 2, 3, 49, 50, 51, 100])
def test_a_page_from_the_cache_equals_the_one_from_the_database(
    database: Database, copies: Cache, without: Cache, limit: int
) -> None:
    with database.begin() as session:
        for at in range(53):
            service.create(session, SETTINGS, ALICE.id, a_diagram(f"{at} 🌱 \" \\ '"))
    asked = [
        service.list_page(database, which, ALICE.id, limit=limit, cursor=None)
        for which in (copies, copies, without)
    ]
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0].items) == min(limit, 53)
    assert (asked[0].next_cursor is None) == (limit > 53)


def test_a_list_takes_one_key_however_it_is_asked_for(
    database: Database, copies: Cache, cache: redis.Redis
) -> None:
    for title in ("one", "two"):
        save(database, copies, title)
    for limit in (1, 2, 20, 50, 100):
        service.list_page(database, copies, ALICE.id, limit=limit, cursor=None)
    keys: list[Any] = list(cache.scan_iter())
    assert len(keys) == 1
    life: Any = cache.ttl(keys[0])
    assert 0 < life <= 300


def test_without_redis_everything_comes_from_the_database(
    database: Database, without: Cache, cache: redis.Redis
) -> None:
    one = save(database, without, "one")
    assert titles(database, without) == ["one"]
    assert service.find(database, without, ALICE.id, one).title == "one"
    save(database, without, "two")
    assert titles(database, without) == ["two", "one"]
    assert titles(database, without, BOB.id) == []
    assert list(cache.scan_iter()) == []
