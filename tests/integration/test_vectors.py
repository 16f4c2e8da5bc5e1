import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from qdrant_client import QdrantClient, models

from app import keywords
from app.knowledge import ranking
from app.settings import Settings
from app.vectors import client as clients
from app.vectors import collections, sparse
from app.vectors.client import QdrantUnavailable
from app.vectors.collections import DENSE, DOCUMENT, KEYWORDS, TENANT, VERSION
from tests.databases import Backend, on_postgresql

NAME = "chunks_test"


@pytest.fixture
def settings(settings: Settings, backend: Backend, other_qdrant: dict[str, str]) -> Settings:
    """With PostgreSQL the server, with SQLite the engine in this process, as it is used."""
    if backend == "sqlite":
        return settings
    return Settings.model_validate(settings.model_dump(exclude_unset=True) | other_qdrant)


@contextmanager
def connected(settings: Settings) -> Iterator[QdrantClient]:
    client = clients.build(settings)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def qdrant(settings: Settings) -> Iterator[QdrantClient]:
    with connected(settings) as client:
        client.delete_collection(NAME)
        yield client


def assert_complete(client: QdrantClient, backend: Backend) -> None:
    found = client.get_collection(NAME)
    dense = found.config.params.vectors
    assert isinstance(dense, dict)
    assert dense[DENSE].size == 384
    assert dense[DENSE].distance == models.Distance.COSINE
    sparse = found.config.params.sparse_vectors
    assert sparse
    assert sparse[KEYWORDS].modifier == models.Modifier.IDF
    # In process there are no payload indexes.
    indexed = {TENANT, DOCUMENT, VERSION} if backend == "postgresql" else set()
    assert set(found.payload_schema) == indexed


def test_the_collection_is_made_once(qdrant: QdrantClient, backend: Backend) -> None:
    assert collections.ensure(qdrant, NAME, vector_size=384) is True
    assert_complete(qdrant, backend)
    assert collections.ensure(qdrant, NAME, vector_size=384) is False
    assert_complete(qdrant, backend)


def test_what_is_in_the_collection_stays(qdrant: QdrantClient) -> None:
    collections.ensure(qdrant, NAME, vector_size=4)
    point = models.PointStruct(id=1, vector={DENSE: [0, 0, 0, 1]}, payload={TENANT: 7})
    qdrant.upsert(NAME, [point])
    collections.ensure(qdrant, NAME, vector_size=4)
    assert qdrant.count(NAME).count == 1
    mine = models.Filter(must=[models.FieldCondition(key=TENANT, match=models.MatchValue(value=7))])
    found = qdrant.query_points(NAME, [0.0, 0.0, 0.0, 1.0], using=DENSE, query_filter=mine)
    assert [one.id for one in found.points] == [1]


@on_postgresql
def test_many_at_once_make_it_once(settings: Settings, qdrant: QdrantClient) -> None:
    barrier = threading.Barrier(4)
    made: list[bool | Exception] = []

    def work() -> None:
        with connected(settings) as client:
            barrier.wait()
            try:
                made.append(collections.ensure(client, NAME, vector_size=384))
            except Exception as error:
                made.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made, key=str) == [False, False, False, True]
    assert_complete(qdrant, "postgresql")


@on_postgresql
def test_an_index_that_a_killed_process_did_not_make_is_made_by_the_next(
    qdrant: QdrantClient,
) -> None:
    collections.ensure(qdrant, NAME, vector_size=384)
    qdrant.delete_payload_index(NAME, TENANT)
    assert set(qdrant.get_collection(NAME).payload_schema) == {DOCUMENT, VERSION}
    assert collections.ensure(qdrant, NAME, vector_size=384) is False
    assert_complete(qdrant, "postgresql")


@on_postgresql
def test_a_server_that_is_not_there_is_unavailable(settings: Settings, closed_port: int) -> None:
    away = settings.model_copy(update={"qdrant_url": f"http://127.0.0.1:{closed_port}"})
    with connected(away) as client:
        with pytest.raises(QdrantUnavailable):
            collections.ensure(client, NAME, vector_size=384)
        with pytest.raises(QdrantUnavailable):
            clients.version(client)


@on_postgresql
def test_a_wrong_key_is_told_at_once(settings: Settings) -> None:
    with connected(settings.model_copy(update={"qdrant_api_key": None})) as client:
        with pytest.raises(QdrantUnavailable):
            collections.ensure(client, NAME, vector_size=384)
        with pytest.raises(QdrantUnavailable):
            clients.version(client)


def test_keywords_are_ranked_by_bm25(qdrant: QdrantClient) -> None:
    collections.ensure(qdrant, NAME, vector_size=4)
    texts = ["水循环有四个环节", "植物的光合作用", "The water cycle", "水，水，水 and cycles", "酶"]
    points = []
    for at, text in enumerate(texts):
        vector = sparse.of_passage(text)
        keyword = models.SparseVector(indices=[*vector.indices], values=[*vector.values])
        points.append(models.PointStruct(id=at, vector={KEYWORDS: keyword}, payload={TENANT: 7}))
    qdrant.upsert(NAME, points, wait=True)
    terms = [[*keywords.of_passage(text)] for text in texts]
    for query in ("水循环的环节", "water cycles", "水 cycle", "光合作用"):
        asked = keywords.of_query(query)
        having = {term: sum(term in one for one in terms) for term in asked}
        expected = dict(enumerate(ranking.bm25(asked, terms, having, len(texts))))
        vector = sparse.of_query(query)
        found = qdrant.query_points(
            NAME,
            models.SparseVector(indices=[*vector.indices], values=[*vector.values]),
            using=KEYWORDS,
        ).points
        assert {one.id: one.score for one in found} == pytest.approx(
            {at: score for at, score in expected.items() if score}, rel=1e-3
        )
