"""What the service asks of Qdrant, in the very calls that it makes, and what must come of them.

With PostgreSQL it is the server of this checkout's image, official or offline, as `IMAGES` says;
with SQLite the engine in this process.
"""

import math
from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
import pytest
from qdrant_client import QdrantClient

from app.settings import Settings
from app.vectors import client as clients
from app.vectors import collections, points, sparse
from app.vectors.points import Asked, CollectionMissing, Point
from tests.databases import Backend

NAME = "contract"
SIZE = 8
TEXTS = ("水循环有四个环节", "植物的光合作用", "The water cycle", "水 and cycles", "酶")


@pytest.fixture
def settings(settings: Settings, backend: Backend, other_qdrant: dict[str, str]) -> Settings:
    if backend == "sqlite":
        return settings
    return Settings.model_validate(settings.model_dump(exclude_unset=True) | other_qdrant)


@pytest.fixture
def qdrant(settings: Settings) -> Iterator[QdrantClient]:
    client = clients.build(settings)
    collections.ensure(client, NAME, vector_size=SIZE)
    yield client
    for one in collections.list_(client, ""):
        collections.delete(client, one)
    client.close()


def point(at: int, *, user: int = 1, document: str = "d", version: str = "v") -> Point:
    """Its vector turns a little further with each."""
    angle = at * 0.001
    dense = np.zeros(SIZE, dtype=np.float32)
    dense[:2] = math.cos(angle), math.sin(angle)
    words = sparse.of_passage(TEXTS[at % len(TEXTS)])
    return Point(UUID(int=at + 1), user, document, version, dense, words)


def numbers(found: Sequence[points.Hit]) -> list[int]:
    return [one.id.int - 1 for one in found]


def near(user: int, limit: int = 5, documents: list[str] | None = None) -> Asked:
    return Asked(user, limit, documents, dense=point(0).dense)


def saying(user: int, text: str, documents: list[str] | None = None) -> Asked:
    return Asked(user, 10, documents, sparse=sparse.of_query(text))


def everything(client: QdrantClient) -> list[points.Place]:
    return [place for page in points.scan(client, NAME) for place in page]


def test_the_same_points_again_change_nothing(qdrant: QdrantClient) -> None:
    some = [point(at) for at in range(3)]
    points.upsert(qdrant, NAME, some)
    before = everything(qdrant), points.search(qdrant, NAME, near(1))
    points.upsert(qdrant, NAME, some)
    assert (everything(qdrant), points.search(qdrant, NAME, near(1))) == before
    assert points.count(qdrant, NAME) == 3


def test_a_point_that_is_written_anew_has_the_new_version(qdrant: QdrantClient) -> None:
    points.upsert(qdrant, NAME, [point(0, version="old")])
    points.upsert(qdrant, NAME, [point(0, version="new")])
    assert [one.version_id for one in everything(qdrant)] == ["new"]
    points.delete_version(qdrant, NAME, "old")
    assert points.count(qdrant, NAME) == 1


def test_a_version_goes_with_all_its_points_and_no_others(qdrant: QdrantClient) -> None:
    some = [point(at, version=f"v{at % 2}") for at in range(10)]
    points.upsert(qdrant, NAME, some)
    points.delete_version(qdrant, NAME, "v1")
    points.delete_version(qdrant, NAME, "v1")
    points.delete_version(qdrant, NAME, "unknown")
    assert [one.id.int - 1 for one in everything(qdrant)] == [0, 2, 4, 6, 8]
    assert numbers(points.search(qdrant, NAME, near(1, limit=10))) == [0, 2, 4, 6, 8]


def test_points_go_by_their_ids_also_those_that_are_gone(qdrant: QdrantClient) -> None:
    points.upsert(qdrant, NAME, [point(at) for at in range(4)])
    points.delete(qdrant, NAME, [UUID(int=1), UUID(int=3), UUID(int=99)])
    wanted = [UUID(int=at) for at in range(1, 6)]
    assert points.existing(qdrant, NAME, wanted) == {UUID(int=2), UUID(int=4)}
    assert points.existing(qdrant, NAME, []) == set()


def test_all_points_come_once_in_the_order_of_their_ids(
    qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points, "PAGE", 7)
    # Also beyond what a signed number holds.
    places = [*range(50), *(2**127 + at for at in range(50)), 2**128 - 2]
    ids = [UUID(int=at + 1) for at in places]
    some = [point(at) for at in range(len(ids))]
    written = [
        Point(id_, 1, "d", f"v{id_.int % 3}", one.dense, one.sparse)
        for id_, one in zip(ids, some, strict=True)
    ]
    points.upsert(qdrant, NAME, written[::-1])
    pages = list(points.scan(qdrant, NAME))
    assert [len(page) for page in pages] == [7] * 14 + [3]
    assert [one.id for page in pages for one in page] == ids
    assert all(one.version_id == f"v{one.id.int % 3}" for page in pages for one in page)


def test_an_empty_collection_has_one_empty_page(qdrant: QdrantClient) -> None:
    assert list(points.scan(qdrant, NAME)) == [[]]
    assert points.count(qdrant, NAME) == 0
    assert points.search(qdrant, NAME, near(1)) == []
    assert points.search(qdrant, NAME, saying(1, "水")) == []


def test_everybody_finds_their_own(qdrant: QdrantClient) -> None:
    points.upsert(qdrant, NAME, [point(at, user=at % 3) for at in range(30)])
    for user in range(3):
        mine = [at for at in range(30) if at % 3 == user]
        assert numbers(points.search(qdrant, NAME, near(user, limit=30))) == mine
        for text in ("水循环", "cycles"):
            found = numbers(points.search(qdrant, NAME, saying(user, text)))
            assert found
            assert set(found) <= set(mine)
    assert points.search(qdrant, NAME, near(99)) == []


def test_what_is_asked_for_by_meaning_and_words_comes_from_both(qdrant: QdrantClient) -> None:
    points.upsert(qdrant, NAME, [point(at) for at in range(20)])
    asked = Asked(1, 20, dense=point(19).dense, sparse=sparse.of_query("光合作用"))
    found = points.search(qdrant, NAME, asked)
    assert set(numbers(found)) == set(range(20))
    # It is near in meaning and says the words.
    assert numbers(found)[0] == 16
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_thousands_of_documents_can_be_chosen(qdrant: QdrantClient) -> None:
    points.upsert(qdrant, NAME, [point(at, document=f"document {at}") for at in range(20)])
    many = [f"document {at}" for at in range(10, 5_000)]
    assert numbers(points.search(qdrant, NAME, near(1, 30, many))) == [*range(10, 20)]
    said = numbers(points.search(qdrant, NAME, saying(1, "光合作用", many)))
    assert sorted(said) == [11, 16]
    assert points.search(qdrant, NAME, near(1, 30, ["document 99"])) == []
    # A document of mine is none of another one's.
    assert points.search(qdrant, NAME, near(2, 30, many)) == []


def test_rare_words_weigh_more_also_after_deletions(qdrant: QdrantClient) -> None:
    points.upsert(qdrant, NAME, [point(at, version=f"v{at % 5}") for at in range(25)])
    best = points.search(qdrant, NAME, saying(1, "酶 水"))
    assert {at % 5 for at in numbers(best)[:5]} == {4}
    points.delete_version(qdrant, NAME, "v4")
    assert {at % 5 for at in numbers(points.search(qdrant, NAME, saying(1, "酶 水")))} == {0, 3}


def test_an_alias_means_one_collection_and_then_another(qdrant: QdrantClient) -> None:
    collections.ensure(qdrant, f"{NAME}_2", vector_size=SIZE)
    points.upsert(qdrant, NAME, [point(0)])
    collections.name_alias(qdrant, "serving", NAME)
    assert collections.exists(qdrant, "serving")
    assert points.count(qdrant, "serving") == 1
    collections.name_alias(qdrant, "serving", f"{NAME}_2")
    collections.name_alias(qdrant, "serving", f"{NAME}_2")
    assert points.count(qdrant, "serving") == 0
    assert collections.list_(qdrant, NAME) == [NAME, f"{NAME}_2"]


def test_a_collection_that_is_gone_is_told_apart_by_every_call(qdrant: QdrantClient) -> None:
    collections.delete(qdrant, NAME)
    collections.delete(qdrant, NAME)
    assert not collections.exists(qdrant, NAME)
    for call in (
        lambda: points.upsert(qdrant, NAME, [point(0)]),
        lambda: points.delete_version(qdrant, NAME, "v"),
        lambda: points.delete(qdrant, NAME, [UUID(int=1)]),
        lambda: points.existing(qdrant, NAME, [UUID(int=1)]),
        lambda: next(points.scan(qdrant, NAME)),
        lambda: points.count(qdrant, NAME),
        lambda: points.search(qdrant, NAME, near(1)),
        lambda: points.search(qdrant, NAME, saying(1, "水")),
    ):
        with pytest.raises(CollectionMissing):
            call()


def test_a_collection_can_be_made_again_after_it_was_deleted(qdrant: QdrantClient) -> None:
    points.upsert(qdrant, NAME, [point(0)])
    collections.delete(qdrant, NAME)
    assert collections.ensure(qdrant, NAME, vector_size=SIZE)
    assert points.count(qdrant, NAME) == 0
