"""What only the offline stand-in for Qdrant does: it says no instead of guessing."""

import uuid
from collections.abc import Iterator
from typing import Any

import docker
import httpx
import pytest
from docker.models.containers import Container
from prometheus_client.parser import text_string_to_metric_families

from tests.stack.base_images import (
    Containers,
    eventually,
    host_port,
    loopback,
    references,
    restarted,
    run_images,
)

pytest_plugins = ["tests.stack.base_image_fixtures"]


@pytest.fixture(scope="module")
def image(base_client: docker.DockerClient) -> Iterator[str]:
    """The offline image under a name of its own, whichever one the stack uses."""
    prefix = f"mindgraph-test-{uuid.uuid4().hex[:12]}/"
    done = run_images("ensure", IMAGES="debian", REGISTRY_PREFIX=prefix)
    assert done.returncode == 0, done.stderr
    names = references(done.stdout)
    yield names["qdrant"]
    for name in names.values():
        base_client.images.remove(name)


@pytest.fixture(scope="module")
def server(base_client: docker.DockerClient, image: str) -> Iterator[httpx.Client]:
    with (
        Containers(base_client) as containers,
        connect(containers.start(image, ports=loopback(6333))) as client,
    ):
        body = {"vectors": {"size": 2, "distance": "Dot"}}
        client.put("/collections/small", json=body).raise_for_status()
        yield client


def connect(container: Container) -> httpx.Client:
    url = f"http://127.0.0.1:{host_port(container, 6333)}"
    eventually(lambda: httpx.get(f"{url}/readyz").raise_for_status(), httpx.HTTPError)
    return httpx.Client(base_url=url)


def test_label_log_and_greeting_name_the_engine(
    base_client: docker.DockerClient, base_containers: Containers, image: str
) -> None:
    labels = base_client.images.get(image).labels
    assert labels["org.mindgraph.image.engine"].startswith("qdrant-edge-py ")
    container = base_containers.start(image, ports=loopback(6333))
    with connect(container) as client:
        assert client.get("/").json()["offline"] == labels["org.mindgraph.image.engine"]
    assert "offline stand-in for Qdrant on the engine qdrant-edge" in container.logs().decode()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/telemetry", None),
        ("PATCH", "/collections/small", {"optimizers_config": {}}),
        ("POST", "/collections/small/points/query/groups", {}),
        ("POST", "/collections/small/points/query", {"query": {"recommend": {"positive": [1]}}}),
        ("POST", "/collections/small/points/query", {"query": {"text": "x", "model": "m"}}),
        ("POST", "/collections/small/points/query", {"query": [1, 2], "lookup_from": {"a": 1}}),
        ("POST", "/collections/small/points/scroll", {"filter": {"must": [{"new": {}}]}}),
        ("POST", "/collections/small/points/count", {"filter": {"must_maybe": []}}),
        ("PUT", "/collections/small/points", {"points": [], "shard_key": "a"}),
        ("PUT", "/collections/other", {"vectors": {}, "sharding_method": "custom"}),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(
    server: httpx.Client, method: str, path: str, body: Any
) -> None:
    answer = server.request(method, path, json=body)
    assert answer.status_code == 501, answer.text
    assert answer.json()["status"]["error"].startswith("Not supported: the offline Qdrant")


def test_no_graph_of_vectors_is_built_that_nobody_asked_for(server: httpx.Client) -> None:
    vectors = {"size": 2, "distance": "Dot"}
    body = {"vectors": vectors, "optimizers_config": {"indexing_threshold": 500}}
    server.put("/collections/asked", json=body).raise_for_status()
    shown = {
        name: server.get(f"/collections/{name}").json()["result"]["config"]["optimizer_config"]
        for name in ("small", "asked")
    }
    assert shown["small"]["indexing_threshold"] == 0
    assert shown["asked"]["indexing_threshold"] == 500
    server.delete("/collections/asked").raise_for_status()


def test_its_metrics_tell_how_much_there_is(server: httpx.Client) -> None:
    point = {"id": 1, "vector": [1, 2]}
    server.put("/collections/counted", json={"vectors": {"size": 2, "distance": "Dot"}})
    server.put("/collections/counted/points", json={"points": [point]}).raise_for_status()
    told = text_string_to_metric_families(server.get("/metrics").text)
    samples = {(one.name, *one.labels.values()): one.value for f in told for one in f.samples}
    assert samples[("app_info", "qdrant", "1.19.1")] == 1
    assert samples[("collection_points", "counted")] == 1
    server.delete("/collections/counted").raise_for_status()
    assert 'id="counted"' not in server.get("/metrics").text


def test_an_unknown_address_is_not_found(server: httpx.Client) -> None:
    answer = server.get("/nowhere")
    assert (answer.status_code, list(answer.json())) == (404, ["status", "time"])


def test_numbers_that_json_has_not_are_refused(server: httpx.Client) -> None:
    answer = server.put(
        "/collections/small/points", content='{"points": [{"id": 1, "vector": [NaN, 1]}]}'
    )
    assert answer.status_code == 400
    assert "NaN" in answer.json()["status"]["error"]


def test_a_body_above_the_limit_is_refused(base_containers: Containers, image: str) -> None:
    limit = {"QDRANT__SERVICE__MAX_REQUEST_SIZE_MB": "1"}
    container = base_containers.start(image, environment=limit, ports=loopback(6333))
    with connect(container) as client:
        assert client.put("/collections/x", content=b" " * 1_100_000).status_code == 413


@pytest.mark.parametrize("name", ["a*b", "a/b", "a" * 256, "a:b"])
def test_a_name_that_is_no_collection_name_is_refused(server: httpx.Client, name: str) -> None:
    body = {"vectors": {"size": 2, "distance": "Dot"}}
    answer = server.put("/collections/" + name.replace("/", "%2F"), json=body)
    assert answer.status_code in (400, 404)
    assert "small" in str(server.get("/collections").json())


@pytest.mark.parametrize(
    "name", ["QDRANT__SERVICE__ENABLE_TLS", "QDRANT__SERVICE__READ_ONLY_API_KEY"]
)
def test_a_setting_that_protects_is_never_passed_over(
    base_containers: Containers, image: str, name: str
) -> None:
    container = base_containers.start(image, environment={name: "true"})
    assert container.wait()["StatusCode"] == 1
    assert f"Error: {name} needs the official image" in container.logs().decode()


def test_a_second_server_on_the_same_volume_is_refused(
    base_containers: Containers, image: str
) -> None:
    volumes = {base_containers.volume(): {"bind": "/qdrant/storage", "mode": "rw"}}
    connect(base_containers.start(image, volumes=volumes, ports=loopback(6333))).close()
    second = base_containers.start(image, volumes=volumes)
    assert second.wait()["StatusCode"] == 1
    assert "is in use by another server" in second.logs().decode()


def test_a_storage_it_may_not_write_is_named(base_containers: Containers, image: str) -> None:
    volumes = {base_containers.volume(): {"bind": "/qdrant/storage", "mode": "ro"}}
    container = base_containers.start(image, volumes=volumes)
    assert container.wait()["StatusCode"] == 1
    assert "storage can't be written" in container.logs().decode()


def test_what_a_kill_left_half_done_is_removed(base_containers: Containers, image: str) -> None:
    container = base_containers.start(image, ports=loopback(6333))
    with connect(container) as client:
        body = {"vectors": {"size": 2, "distance": "Dot"}}
        client.put("/collections/kept", json=body).raise_for_status()
    script = "cd storage/offline; mkdir -p half.new/shard doomed.gone; echo x > half.new/shard/x"
    assert container.exec_run(["bash", "-c", script])[0] == 0
    container.kill()
    restarted(container)
    with connect(container) as client:
        shown = client.get("/collections").json()["result"]
    assert shown == {"collections": [{"name": "kept"}]}
    _, left = container.exec_run(["bash", "-c", "ls storage/offline | grep -c -e new -e gone"])
    assert left == b"0\n"


def test_a_damaged_collection_stops_the_start_and_is_named(
    base_containers: Containers, image: str
) -> None:
    container = base_containers.start(image, ports=loopback(6333))
    with connect(container) as client:
        body = {"vectors": {"size": 2, "distance": "Dot"}}
        client.put("/collections/hurt", json=body).raise_for_status()
    script = "for f in storage/offline/*/collection.json; do echo nonsense > $f; done"
    assert container.exec_run(["bash", "-c", script])[0] == 0
    container.kill()
    restarted(container)
    assert container.wait()["StatusCode"] == 1
    assert "can't be loaded" in container.logs().decode()
