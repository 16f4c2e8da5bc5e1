"""The contract of the qdrant image, official or offline, as qdrant-client meets it."""

import hashlib
import threading
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import httpx
import pytest
from docker.models.containers import Container
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from tests.stack.base_images import (
    HARDENED,
    Containers,
    eventually,
    exit_code_after_stop,
    host_port,
    loopback,
    restarted,
)

pytest_plugins = ["tests.stack.base_image_fixtures"]

KEY = "a-key-for-tests"
TEXTS = {
    1: ("alice", "光合作用把光能变成化学能", 2024, [1.0, 0.0, 0.0, 0.0], [1, 2]),
    2: ("alice", "photosynthesis turns light into sugar", 2025, [0.9, 0.1, 0.0, 0.0], [2, 3]),
    3: ("bob", "the water cycle", 2023, [0.0, 1.0, 0.0, 0.0], [4]),
    4: ("bob", "clouds and rain 🌧", 2025, [0.0, 0.9, 0.1, 0.0], [4, 5]),
    5: ("charlie", "fractions", 2022, [0.0, 0.0, 0.0, 1.0], [6]),
}


@dataclass
class Server:
    container: Container

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{host_port(self.container, 6333)}"

    def connect(self) -> QdrantClient:
        """A client, once the server is ready."""
        eventually(lambda: httpx.get(f"{self.url}/readyz").raise_for_status(), httpx.HTTPError)
        with warnings.catch_warnings():
            # A key over plain HTTP, which stays on this machine.
            warnings.simplefilter("ignore", UserWarning)
            return QdrantClient(
                self.url, api_key=KEY, prefer_grpc=False, timeout=20, check_compatibility=False
            )


def serve(containers: Containers, image: str, **options: Any) -> Server:
    environment = {"QDRANT__SERVICE__API_KEY": KEY, **options.pop("environment", {})}
    ports = loopback(6333)
    return Server(containers.start(image, environment=environment, ports=ports, **options))


@pytest.fixture(scope="module")
def image(base_images: dict[str, str]) -> str:
    return base_images["qdrant"]


@pytest.fixture(scope="module")
def shared(base_client: docker.DockerClient, image: str) -> Iterator[Server]:
    with Containers(base_client) as containers:
        yield serve(containers, image)


@pytest.fixture
def qdrant(shared: Server) -> Iterator[QdrantClient]:
    client = shared.connect()
    yield client
    client.close()


@pytest.fixture
def texts(qdrant: QdrantClient) -> Iterator[str]:
    name = f"texts-{uuid.uuid4().hex}"
    make_texts(qdrant, name)
    yield name
    qdrant.delete_collection(name)


def make_texts(client: QdrantClient, name: str) -> None:
    client.create_collection(
        name,
        vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)},
        sparse_vectors_config={
            "words": models.SparseVectorParams(modifier=models.Modifier.IDF),
        },
        on_disk_payload=True,
    )
    client.create_payload_index(name, "owner", models.PayloadSchemaType.KEYWORD, wait=True)
    client.create_payload_index(name, "year", models.PayloadSchemaType.INTEGER, wait=True)
    client.upsert(name, [point(id_) for id_ in TEXTS], wait=True)


def point(id_: int) -> models.PointStruct:
    owner, text, year, dense, words = TEXTS[id_]
    vectors: dict[str, Any] = {"dense": dense, "words": sparse(*words)}
    payload = {"owner": owner, "text": text, "year": year, "tags": {"n": [id_, "x"], "no": None}}
    return models.PointStruct(id=id_, vector=vectors, payload=payload)


def sparse(*indices: int) -> models.SparseVector:
    return models.SparseVector(indices=list(indices), values=[1.0] * len(indices))


def owned_by(*owners: str) -> models.Filter:
    match = models.MatchAny(any=list(owners))
    return models.Filter(must=[models.FieldCondition(key="owner", match=match)])


def ids(points: Any) -> list[Any]:
    return [each.id for each in points]


def test_the_qdrant_image_states_its_contract(base_client: docker.DockerClient, image: str) -> None:
    config = base_client.images.get(image).attrs["Config"]
    assert "6333/tcp" in config["ExposedPorts"]
    assert config["WorkingDir"] == "/qdrant"
    assert config["Cmd"] == ["./entrypoint.sh"]
    assert config["User"] in ("", "0", "0:0")


def test_health_is_open_and_all_else_needs_the_key(shared: Server) -> None:
    shared.connect().close()
    for path in ("/", "/healthz", "/livez", "/readyz"):
        assert httpx.get(shared.url + path).status_code == 200
    assert httpx.get(shared.url + "/collections").status_code == 401
    for headers in ({"api-key": "wrong"}, {"Authorization": "Bearer wrong"}):
        assert httpx.get(shared.url + "/collections", headers=headers).status_code == 401
    for headers in ({"api-key": KEY}, {"Authorization": f"Bearer {KEY}"}):
        assert httpx.get(shared.url + "/collections", headers=headers).status_code == 200


def test_the_version_suits_the_client(shared: Server) -> None:
    shared.connect().close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Api key is used")
        client = QdrantClient(shared.url, api_key=KEY, check_compatibility=True)
    assert client.info().version.startswith("1.")
    client.close()


def test_a_collection_is_made_shown_and_deleted(qdrant: QdrantClient) -> None:
    assert not qdrant.collection_exists("maps")
    size = models.VectorParams(size=3, distance=models.Distance.DOT, on_disk=True)
    assert qdrant.create_collection("maps", vectors_config=size)
    assert qdrant.collection_exists("maps")
    assert "maps" in [each.name for each in qdrant.get_collections().collections]
    shown = qdrant.get_collection("maps")
    assert shown.config.params.vectors == size
    assert (shown.status, shown.points_count) == (models.CollectionStatus.GREEN, 0)
    with pytest.raises(UnexpectedResponse) as refused:
        qdrant.create_collection("maps", vectors_config=size)
    assert refused.value.status_code == 409
    assert qdrant.delete_collection("maps")
    with pytest.raises(UnexpectedResponse) as missing:
        qdrant.get_collection("maps")
    assert missing.value.status_code == 404


def test_a_collection_shows_its_vectors_and_indexes(qdrant: QdrantClient, texts: str) -> None:
    shown = qdrant.get_collection(texts)
    vectors, words = shown.config.params.vectors, shown.config.params.sparse_vectors
    assert isinstance(vectors, dict)
    assert (vectors["dense"].size, vectors["dense"].distance) == (4, models.Distance.COSINE)
    assert words is not None
    assert words["words"].modifier == models.Modifier.IDF
    kinds = {name: index.data_type for name, index in shown.payload_schema.items()}
    assert kinds == {"owner": "keyword", "year": "integer"}
    qdrant.delete_payload_index(texts, "year", wait=True)
    assert set(qdrant.get_collection(texts).payload_schema) == {"owner"}


def test_an_index_keeps_its_parameters(qdrant: QdrantClient, texts: str) -> None:
    schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
    qdrant.create_payload_index(texts, "group", schema, wait=True)
    params = qdrant.get_collection(texts).payload_schema["group"].params
    assert isinstance(params, models.KeywordIndexParams)
    assert params.is_tenant is True


def test_points_come_back_as_they_were_saved(qdrant: QdrantClient, texts: str) -> None:
    (found,) = qdrant.retrieve(texts, [1], with_vectors=True)
    assert found.payload == point(1).payload
    assert found.vector == {"dense": TEXTS[1][3], "words": sparse(*TEXTS[1][4])}
    (bare,) = qdrant.retrieve(texts, [2], with_payload=["owner"])
    assert (bare.payload, bare.vector) == ({"owner": "alice"}, None)
    assert qdrant.retrieve(texts, [77]) == []


def test_points_with_uuids_in_batch_form(qdrant: QdrantClient, texts: str) -> None:
    names = [str(uuid.uuid4()), str(uuid.uuid4())]
    vectors: Any = {"dense": [[1, 1, 0, 0], [0, 0, 1, 1]]}
    batch = models.Batch(ids=names, vectors=vectors, payloads=[{"owner": "x"}, {"owner": "y"}])
    qdrant.upsert(texts, batch, wait=True)
    found = qdrant.retrieve(texts, names)
    assert {each.id: each.payload for each in found} == {
        names[0]: {"owner": "x"},
        names[1]: {"owner": "y"},
    }


def test_unnamed_vectors_and_saving_again(qdrant: QdrantClient) -> None:
    name = f"plain-{uuid.uuid4().hex}"
    size = models.VectorParams(size=2, distance=models.Distance.EUCLID)
    qdrant.create_collection(name, vectors_config=size)
    for vector in ([1.0, 1.0], [3.0, 4.0]):
        qdrant.upsert(name, [models.PointStruct(id=1, vector=vector)], wait=True)
    (found,) = qdrant.query_points(name, query=[0.0, 0.0], with_vectors=True).points
    assert (found.id, found.vector) == (1, [3.0, 4.0])
    assert found.score == pytest.approx(5.0)
    qdrant.delete_collection(name)


def test_dense_search_ranks_by_likeness(qdrant: QdrantClient, texts: str) -> None:
    found = qdrant.query_points(texts, query=[1.0, 0, 0, 0], using="dense", limit=3).points
    assert ids(found)[:2] == [1, 2]
    assert found[0].score == pytest.approx(1.0)
    assert found[0].payload is not None
    assert found[0].payload["owner"] == "alice"
    enough = qdrant.query_points(texts, query=[1.0, 0, 0, 0], using="dense", score_threshold=0.5)
    assert ids(enough.points) == [1, 2]
    later = qdrant.query_points(texts, query=[1.0, 0, 0, 0], using="dense", offset=1, limit=1)
    assert ids(later.points) == [2]
    like = qdrant.query_points(texts, query=1, using="dense", limit=1)
    assert ids(like.points) == [2]


def test_sparse_search_weighs_rare_words_higher(qdrant: QdrantClient, texts: str) -> None:
    found = qdrant.query_points(texts, query=sparse(3, 4), using="words").points
    assert ids(found)[0] == 2
    assert set(ids(found)) == {2, 3, 4}
    scores = {each.id: each.score for each in found}
    assert scores[2] > scores[3] == scores[4]


@pytest.mark.parametrize("fusion", [models.Fusion.RRF, models.Fusion.DBSF])
def test_hybrid_search_fuses_two_rankings(
    qdrant: QdrantClient, texts: str, fusion: models.Fusion
) -> None:
    prefetch = [
        models.Prefetch(query=[1.0, 0, 0, 0], using="dense", limit=2),
        models.Prefetch(query=sparse(2, 4), using="words", limit=4, filter=owned_by("alice")),
    ]
    query = models.FusionQuery(fusion=fusion)
    found = qdrant.query_points(texts, prefetch=prefetch, query=query, limit=5).points
    assert sorted(ids(found)) == [1, 2]
    assert found[0].score >= found[1].score


def test_several_queries_in_one_request(qdrant: QdrantClient, texts: str) -> None:
    requests = [
        models.QueryRequest(query=[0, 1.0, 0, 0], using="dense", limit=1),
        models.QueryRequest(query=sparse(6), using="words", limit=5, with_payload=["owner"]),
    ]
    first, second = qdrant.query_batch_points(texts, requests)
    assert (ids(first.points), ids(second.points)) == ([3], [5])
    assert second.points[0].payload == {"owner": "charlie"}


def field(key: str, **condition: Any) -> models.FieldCondition:
    return models.FieldCondition(key=key, **condition)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (models.Filter(must=[field("owner", match=models.MatchValue(value="bob"))]), [3, 4]),
        (models.Filter(must_not=[field("owner", match=models.MatchAny(any=["bob"]))]), [1, 2, 5]),
        (
            models.Filter(
                should=[
                    field("year", match=models.MatchValue(value=2022)),
                    field("year", match=models.MatchValue(value=2023)),
                ]
            ),
            [3, 5],
        ),
        (models.Filter(must=[field("year", range=models.Range(gte=2024, lt=2025))]), [1]),
        (
            models.Filter(must=[field("owner", match=models.MatchExcept(**{"except": ["bob"]}))]),
            [1, 2, 5],
        ),
        (models.Filter(must=[models.HasIdCondition(has_id=[2, 5, 99])]), [2, 5]),
        (models.Filter(must=[field("tags.n[]", match=models.MatchValue(value=4))]), [4]),
        (
            models.Filter(must=[models.IsEmptyCondition(is_empty={"key": "nothing"})]),
            [1, 2, 3, 4, 5],
        ),
        (models.Filter(must=[models.IsNullCondition(is_null={"key": "tags.no"})]), [1, 2, 3, 4, 5]),
        (
            models.Filter(
                must=[owned_by("alice", "bob")],
                must_not=[field("year", range=models.Range(lt=2025))],
            ),
            [2, 4],
        ),
    ],
)
def test_filters_choose_the_same_points_everywhere(
    qdrant: QdrantClient, texts: str, condition: models.Filter, expected: list[int]
) -> None:
    assert ids(qdrant.scroll(texts, condition)[0]) == expected
    assert qdrant.count(texts, condition, exact=True).count == len(expected)
    query = qdrant.query_points(texts, query=[1.0, 0, 0, 0], using="dense", query_filter=condition)
    assert sorted(ids(query.points)) == expected


def test_scrolling_pages_through_all(qdrant: QdrantClient, texts: str) -> None:
    pages, offset = [], None
    while True:
        page, offset = qdrant.scroll(texts, limit=2, offset=offset, with_payload=False)
        pages.append(ids(page))
        if offset is None:
            break
    assert pages == [[1, 2], [3, 4], [5]]
    newest, _ = qdrant.scroll(texts, limit=2, order_by=models.OrderBy(key="year", direction="desc"))
    assert sorted(ids(newest)) == [2, 4]


def test_payload_is_set_replaced_and_removed(qdrant: QdrantClient, texts: str) -> None:
    qdrant.set_payload(texts, {"seen": True}, points=[1], wait=True)
    assert read_payload(qdrant, texts, 1) == {**(point(1).payload or {}), "seen": True}
    qdrant.overwrite_payload(texts, {"owner": "dora"}, points=[1], wait=True)
    assert read_payload(qdrant, texts, 1) == {"owner": "dora"}
    qdrant.set_payload(texts, {"late": 1}, points=owned_by("bob"), wait=True)
    assert (read_payload(qdrant, texts, 3) or {})["late"] == 1
    qdrant.delete_payload(texts, ["text", "tags", "late"], points=[3], wait=True)
    assert read_payload(qdrant, texts, 3) == {"owner": "bob", "year": 2023}
    qdrant.clear_payload(texts, points_selector=[3], wait=True)
    assert not read_payload(qdrant, texts, 3)


def read_payload(client: QdrantClient, name: str, id_: int) -> dict[str, Any] | None:
    (found,) = client.retrieve(name, [id_])
    return found.payload


def test_points_are_deleted_by_id_and_by_filter(qdrant: QdrantClient, texts: str) -> None:
    qdrant.delete(texts, [5, 99], wait=True)
    qdrant.delete(texts, models.FilterSelector(filter=owned_by("bob")), wait=True)
    assert ids(qdrant.scroll(texts)[0]) == [1, 2]


def test_updates_in_one_batch_apply_in_order(qdrant: QdrantClient, texts: str) -> None:
    operations: list[Any] = [
        models.UpsertOperation(upsert=models.PointsList(points=[point(1)])),
        models.SetPayloadOperation(
            set_payload=models.SetPayload(payload={"owner": "eve"}, points=[1])
        ),
        models.DeleteOperation(delete=models.PointIdsList(points=[2])),
    ]
    qdrant.batch_update_points(texts, operations, wait=True)
    assert ids(qdrant.scroll(texts, owned_by("eve"))[0]) == [1]
    assert qdrant.retrieve(texts, [2]) == []


def test_values_of_a_field_are_counted(qdrant: QdrantClient, texts: str) -> None:
    hits = qdrant.facet(texts, "owner", exact=True).hits
    assert {each.value: each.count for each in hits} == {"alice": 2, "bob": 2, "charlie": 1}


def test_an_alias_moves_from_one_collection_to_another(qdrant: QdrantClient, texts: str) -> None:
    alias, other = f"alias-{texts}", f"other-{texts}"
    size = models.VectorParams(size=2, distance=models.Distance.DOT)
    qdrant.create_collection(other, vectors_config=size)
    qdrant.update_collection_aliases([aliased(alias, texts)])
    assert qdrant.count(alias).count == 5
    removal = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
    qdrant.update_collection_aliases([removal, aliased(alias, other)])
    assert qdrant.count(alias).count == 0
    assert [each.alias_name for each in qdrant.get_collection_aliases(other).aliases] == [alias]
    qdrant.delete_collection(other)
    assert alias not in [each.alias_name for each in qdrant.get_aliases().aliases]


def test_a_snapshot_brings_a_collection_back(
    shared: Server, qdrant: QdrantClient, texts: str
) -> None:
    made = qdrant.create_snapshot(texts)
    assert made is not None
    assert made.name.startswith(f"{texts}-")
    assert made.name.endswith(".snapshot")
    qdrant.delete(texts, [1, 2], wait=True)
    qdrant.upsert(texts, [numbered(100)], wait=True)
    other = f"other-{texts}"
    for name in (texts, other):
        place = f"file:///qdrant/snapshots/{texts}/{made.name}"
        priority = models.SnapshotPriority.SNAPSHOT
        assert qdrant.recover_snapshot(name, place, checksum=made.checksum, priority=priority)
        assert ids(qdrant.scroll(name)[0]) == [1, 2, 3, 4, 5]
        assert set(qdrant.get_collection(name).payload_schema) == {"owner", "year"}
        assert ids(qdrant.query_points(name, query=sparse(3, 4), using="words").points)[0] == 2
    qdrant.upsert(other, [numbered(100)], wait=True)
    assert (qdrant.count(other).count, qdrant.count(texts).count) == (6, 5)
    qdrant.delete_collection(other)
    (listed,) = qdrant.list_snapshots(texts)
    assert (listed.name, listed.size, listed.checksum) == (made.name, made.size, made.checksum)
    url = f"{shared.url}/collections/{texts}/snapshots/{made.name}"
    assert httpx.get(url).status_code == 401
    content = httpx.get(url, headers={"api-key": KEY}).raise_for_status().content
    assert hashlib.sha256(content).hexdigest() == made.checksum
    assert qdrant.delete_snapshot(texts, made.name)
    assert qdrant.list_snapshots(texts) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/collections/unknown/snapshots", None, 404),
        ("GET", "/collections/unknown/snapshots", None, 404),
        ("GET", "/collections/TEXTS/snapshots/none.snapshot", None, 404),
        ("DELETE", "/collections/TEXTS/snapshots/none.snapshot", None, 404),
        ("PUT", "/collections/new/snapshots/recover", {"location": "file:///none"}, 400),
        ("PUT", "/collections/TEXTS/snapshots/recover", {"location": "file:///etc/passwd"}, 400),
    ],
)
def test_a_snapshot_that_is_none_is_refused_and_changes_nothing(
    shared: Server, qdrant: QdrantClient, texts: str, method: str, path: str, body: Any, status: int
) -> None:
    url = shared.url + path.replace("TEXTS", texts)
    answer = httpx.request(method, url, headers={"api-key": KEY}, json=body)
    # What a file is that is no snapshot, the official image finds out as it unpacks it.
    assert answer.status_code in {status, 500 if "passwd" in str(body) else status}, answer.text
    assert answer.json()["status"]["error"]
    assert qdrant.count(texts).count == 5
    assert not qdrant.collection_exists("new")


def aliased(alias: str, name: str) -> models.CreateAliasOperation:
    created = models.CreateAlias(alias_name=alias, collection_name=name)
    return models.CreateAliasOperation(create_alias=created)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"dense": [1.0]}}]}),
        ("PUT", "/points", {"points": [{"id": "no-uuid", "vector": {"dense": [1, 0, 0, 0]}}]}),
        ("PUT", "/points", {"points": [{"id": -1, "vector": {"dense": [1, 0, 0, 0]}}]}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"unknown": [1, 0, 0, 0]}}]}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"dense": ["a", 0, 0, 0]}}]}),
        ("POST", "/points/query", {"query": [1, 0, 0, 0], "using": "unknown"}),
        ("POST", "/points/query", {"query": [1, 0], "using": "dense"}),
        ("POST", "/points/query", {"prefetch": {"query": [1, 0, 0, 0], "using": "dense"}}),
        ("POST", "/points/scroll", {"limit": 0}),
        ("POST", "/points/scroll", {"filter": {"must": [{"key": "owner"}]}}),
        ("POST", "/points/query", "not json"),
    ],
)
def test_a_wrong_request_is_answered_with_qdrants_error(
    shared: Server, texts: str, method: str, path: str, body: Any
) -> None:
    content = {"content": body} if isinstance(body, str) else {"json": body}
    headers = {"api-key": KEY, "content-type": "application/json"}
    url = f"{shared.url}/collections/{texts}{path}"
    answer = httpx.request(method, url, headers=headers, **content)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["status"]["error"]


def test_an_unknown_collection_is_not_found(shared: Server) -> None:
    url = f"{shared.url}/collections/unknown/points/scroll"
    answer = httpx.post(url, headers={"api-key": KEY}, json={})
    assert answer.status_code == 404
    assert "`unknown` doesn't exist" in answer.json()["status"]["error"]


def test_what_was_acknowledged_outlives_a_kill(base_containers: Containers, image: str) -> None:
    server = serve(base_containers, image)
    client = server.connect()
    make_texts(client, "texts")
    client.update_collection_aliases([aliased("current", "texts")])
    client.set_payload("texts", {"kept": True}, points=[1], wait=True)
    client.delete("texts", [5], wait=True)
    for number in range(100, 160):
        client.upsert("texts", [numbered(number)], wait=True)
    server.container.kill()
    client.close()
    restarted(server.container)
    client = server.connect()
    expected = [1, 2, 3, 4, *range(100, 160)]
    assert ids(client.scroll("current", limit=1000)[0]) == expected
    assert (read_payload(client, "texts", 1) or {})["kept"] is True
    assert set(client.get_collection("texts").payload_schema) == {"owner", "year"}
    client.close()


def numbered(number: int) -> models.PointStruct:
    vector: dict[str, Any] = {"dense": [1.0, 0.0, 0.0, number]}
    return models.PointStruct(id=number, vector=vector, payload={"owner": "x", "n": number})


def test_qdrant_killed_while_it_writes_starts_again(
    base_containers: Containers, image: str
) -> None:
    server = serve(base_containers, image)
    client = server.connect()
    make_texts(client, "texts")
    for attempt in range(3):
        killer = threading.Timer(0.3, server.container.kill)
        killer.start()
        acknowledged = write_until_it_dies(client, 10_000 * (attempt + 1))
        killer.join()
        client.close()
        restarted(server.container)
        client = server.connect()
        assert acknowledged
        assert sorted(ids(client.retrieve("texts", acknowledged))) == acknowledged
    client.close()


def write_until_it_dies(client: QdrantClient, first: int) -> list[int]:
    acknowledged: list[int] = []
    for number in range(first, first + 9_000):
        try:
            client.upsert("texts", [numbered(number)], wait=True)
        except (ResponseHandlingException, UnexpectedResponse):
            break
        acknowledged.append(number)
    return acknowledged


def test_qdrant_stops_cleanly_and_keeps_its_volume(base_containers: Containers, image: str) -> None:
    volumes = {base_containers.volume(): {"bind": "/qdrant/storage", "mode": "rw"}}
    server = serve(base_containers, image, volumes=volumes)
    client = server.connect()
    make_texts(client, "texts")
    client.close()
    assert exit_code_after_stop(server.container) == 0
    again = serve(base_containers, image, volumes=volumes)
    client = again.connect()
    assert client.count("texts").count == 5
    client.close()


def test_qdrant_runs_as_a_given_user_on_a_read_only_root(
    base_containers: Containers, image: str
) -> None:
    volume = base_containers.volume()
    volumes = {volume: {"bind": "/qdrant/storage", "mode": "rw"}}
    base_containers.output(image, ["chown", "1000:1000", "/qdrant/storage"], volumes=volumes)
    server = serve(
        base_containers,
        image,
        user="1000:1000",
        volumes=volumes,
        tmpfs={"/tmp": ""},
        environment={
            "QDRANT__STORAGE__SNAPSHOTS_PATH": "/qdrant/storage/snapshots",
            "QDRANT_INIT_FILE_PATH": "/tmp/initialized",
        },
        **HARDENED,
    )
    client = server.connect()
    make_texts(client, "texts")
    assert client.count("texts").count == 5
    client.close()


def test_port_and_storage_follow_the_environment(base_containers: Containers, image: str) -> None:
    server = serve(
        base_containers,
        image,
        environment={
            "QDRANT__SERVICE__HTTP_PORT": "6333",
            "QDRANT__STORAGE__STORAGE_PATH": "/qdrant/elsewhere",
        },
    )
    client = server.connect()
    make_texts(client, "texts")
    client.close()
    status, output = server.container.exec_run(["bash", "-c", "ls -A /qdrant/elsewhere | wc -l"])
    assert (status, output != b"0\n") == (0, True)
