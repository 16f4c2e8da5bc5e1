"""What Qdrant has acknowledged is done, also when it is killed right afterwards."""

from collections.abc import Iterator
from uuid import UUID

import numpy as np
import pytest
from qdrant_client import QdrantClient

from app.vectors import collections, points, sparse
from app.vectors.points import Asked, Point
from tests.stack.base_images import Containers, restarted
from tests.stack.test_base_image_qdrant import Server, serve

pytest_plugins = ["tests.stack.base_image_fixtures"]

NAMES = ("first", "second")
ROUNDS = 5
DENSE = np.eye(4, dtype=np.float32)


@pytest.fixture
def server(base_containers: Containers, base_images: dict[str, str]) -> Server:
    return serve(base_containers, base_images["qdrant"])


@pytest.fixture
def qdrant(server: Server) -> Iterator[QdrantClient]:
    client = server.connect()
    for name in NAMES:
        collections.ensure(client, name, vector_size=4)
    yield client
    client.close()


def point(at: int, version: str) -> Point:
    words = sparse.of_passage("水循环")
    return Point(UUID(int=at), 1, f"document {at % 7}", version, DENSE[at % 4], words)


def killed(server: Server, client: QdrantClient) -> QdrantClient:
    """A client of the server after its sudden end."""
    client.close()
    server.container.kill("KILL")
    restarted(server.container)
    return server.connect()


def test_writes_deletions_indexes_and_aliases_outlive_kill_after_kill(
    server: Server, qdrant: QdrantClient
) -> None:
    client = qdrant
    for at in range(ROUNDS):
        written = [point(1_000 * at + one, f"v{at}.{one % 3}") for one in range(1, 300)]
        points.upsert(client, "first", written)
        points.delete_version(client, "first", f"v{at}.0")
        points.delete(client, "first", [UUID(int=1_000 * at + 1)])
        collections.name_alias(client, "serving", NAMES[at % 2])
        client = killed(server, client)
        there = {one.id for page in points.scan(client, "first") for one in page}
        assert {one.int for one in there if one.int > 1_000 * at} == {
            1_000 * at + one for one in range(2, 300) if one % 3
        }
        assert len(there) == 199 * (at + 1)
        aliases = {one.alias_name: one.collection_name for one in client.get_aliases().aliases}
        assert aliases == {"serving": NAMES[at % 2]}
        indexed = client.get_collection("first").payload_schema
        assert set(indexed) == set(collections.INDEXED)
        found = points.search(client, "first", Asked(1, 10_000, ["document 3"], dense=DENSE[0]))
        assert {one.id for one in found} == {one for one in there if one.int % 7 == 3}
    client.close()
