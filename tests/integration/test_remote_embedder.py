"""An embedder behind HTTP, with a real server that behaves badly."""

import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from app.breaker import FAILURES, REST_S
from app.embedders import build
from app.embedders.base import Embedder
from app.embedders.errors import EmbedderMisconfigured, EmbedderRefused, EmbedderUnavailable
from app.settings import Settings
from tests import hashed_vectors, openai_server
from tests.openai_server import Behaviour, OpenAIServer, answer

KEY = "sk-sesame-open-42"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as made:
        yield made


Build = Callable[..., Embedder]


@pytest.fixture
def make(server: OpenAIServer) -> Iterator[Build]:
    made: list[Embedder] = []

    def make_one(**given: Any) -> Embedder:
        values = {
            "embedder": "openai",
            "embedder_api_key": KEY,
            "embedder_model": "hashed",
            "embedder_url": server.url,
        }
        made.append(build.build(Settings.model_validate(values | given)))
        return made[-1]

    yield make_one
    for one in made:
        one.close()


@pytest.fixture
def embedder(make: Build) -> Embedder:
    return make()


def inputs(server: OpenAIServer) -> list[list[str]]:
    return [request.body["input"] for request in server.requests]


# What is asked


def test_vectors_are_normal_and_in_the_order_of_the_texts(
    server: OpenAIServer, embedder: Embedder
) -> None:
    texts = ["知识空间", "words and more words", "第三"]
    vectors = embedder.embed_passages(texts)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    wanted = [hashed_vectors.vector(text, server.dimension) for text in texts]
    assert np.allclose(vectors, wanted, atol=1e-6)
    assert np.array_equal(embedder.embed_query(texts[1]), vectors[1])


def test_a_request_is_the_one_of_the_api(server: OpenAIServer, embedder: Embedder) -> None:
    embedder.embed_query("text")
    [request] = server.requests
    assert request.path == "/v1/embeddings"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.body == {"model": "hashed", "encoding_format": "float", "input": ["text"]}


def test_without_a_key_none_is_sent(server: OpenAIServer, make: Build) -> None:
    make(embedder_api_key=None).embed_query("text")
    assert "Authorization" not in server.requests[0].headers


def test_texts_go_in_batches_by_number_and_tokens(server: OpenAIServer, make: Build) -> None:
    embedder = make(embedder_batch=3)
    texts = [f"text {at}" for at in range(7)] + ["字" * 5_000, "字" * 5_000, "字" * 50]
    assert embedder.embed_passages(texts).shape == (10, server.dimension)
    assert [len(batch) for batch in inputs(server)] == [3, 3, 2, 2]
    assert [text for batch in inputs(server) for text in batch] == texts


def test_no_texts_are_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dimension)


@pytest.mark.parametrize("text", ["", " \n", "\0", "a\0b", "\ud800", "🧠\u2028"])
def test_any_text_can_be_sent(server: OpenAIServer, embedder: Embedder, text: str) -> None:
    assert np.isfinite(embedder.embed_query(text)).all()
    [[sent]] = inputs(server)
    assert sent.strip()
    assert "\0" not in sent


def test_the_dimension_is_asked_for_only_when_it_is_set(server: OpenAIServer, make: Build) -> None:
    assert make().dimension == server.dimension
    embedder = make(embedder_dimension=32)
    assert embedder.dimension == 32
    assert embedder.embed_query("text").shape == (32,)
    assert [request.body.get("dimensions") for request in server.requests] == [None, 32]


def test_an_order_by_index_is_followed(server: OpenAIServer, embedder: Embedder) -> None:
    right = embedder.embed_passages(["one", "two", "three"])
    server.next(openai_server.changed(lambda data: data.reverse()))
    assert np.array_equal(embedder.embed_passages(["one", "two", "three"]), right)


def test_vectors_without_index_stand_in_order(server: OpenAIServer, embedder: Embedder) -> None:
    right = embedder.embed_passages(["one", "two"])
    server.next(openai_server.changed(lambda data: [row.pop("index") for row in data]))
    assert np.array_equal(embedder.embed_passages(["one", "two"]), right)


def test_many_threads_get_what_one_gets(embedder: Embedder) -> None:
    texts = [f"text number {at}" for at in range(40)]
    alone = embedder.embed_passages(texts)
    with ThreadPoolExecutor(8) as threads:
        assert np.array_equal(list(threads.map(embedder.embed_query, texts)), alone)


# What passes


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(500),
        answer(502, b"<html>bad gateway</html>"),
        answer(429, headers={"Retry-After": "1"}),
        answer(200, b'{"data": [{"index"'),
        answer(200, b"[" * 100_000),
        answer(200, {"object": "list"}),
        answer(200, b'{"data": [{"embedding": [NaN, 1]}]}'),
        answer(200, b'{"data": [{"embedding": [1e999, 1]}]}'),
        answer(200, b'{"data": [{"embedding": [1e300, 1e300]}]}'),
        answer(200, b'{"data": [{"embedding": [0, 0]}]}'),
        answer(200, b'{"data": [{"embedding": []}]}'),
        answer(200, {"data": [{"embedding": "AAAA"}]}),
        answer(200, {"data": [{"embedding": [None, 1]}]}),
        answer(200, b'{"data": [{"embedding": [1' + b"0" * 400 + b"]}]}"),
        openai_server.changed(lambda data: data.pop()),
        openai_server.changed(lambda data: data.append(dict(data[0]))),
        openai_server.changed(lambda data: data[0].update(index=7)),
        openai_server.changed(lambda data: data[0].update(index=[])),
        openai_server.cut_off,
        openai_server.reset,
    ],
)
def test_what_fails_for_a_moment_is_tried_again(
    server: OpenAIServer, embedder: Embedder, behaviour: Behaviour
) -> None:
    server.next(behaviour)
    vector = embedder.embed_query("text")
    assert np.allclose(vector, hashed_vectors.vector("text", server.dimension), atol=1e-6)
    assert len(server.requests) == 2


def test_a_server_that_says_nothing_is_left(server: OpenAIServer, make: Build) -> None:
    server.always(openai_server.hang)
    with pytest.raises(EmbedderUnavailable):
        make(embedder_timeout_s=0.2).embed_query("text")
    assert len(server.requests) == 2


def test_an_answer_that_never_ends_is_left(server: OpenAIServer, make: Build) -> None:
    def trickle(exchange: openai_server.Exchange) -> None:
        exchange.begin_stream()
        while not exchange.server.owner.closing.wait(0.02):
            exchange.wfile.write(b" ")

    server.always(trickle)
    with pytest.raises(EmbedderUnavailable) as caught:
        make(embedder_timeout_s=0.3).embed_query("text")
    assert "takes too long" in str(caught.value.__cause__)


def test_the_wait_that_the_server_asks_for_is_kept(
    server: OpenAIServer, embedder: Embedder
) -> None:
    server.next(answer(503, headers={"Retry-After": "1"}))
    embedder.embed_query("text")
    first, second = server.requests
    assert second.at - first.at >= 1


def test_a_wait_too_long_for_somebody_is_handed_on(
    server: OpenAIServer, embedder: Embedder
) -> None:
    server.always(answer(429, headers={"Retry-After": "40"}))
    for embed in (embedder.embed_query, lambda text: embedder.embed_passages([text])):
        with pytest.raises(EmbedderUnavailable) as caught:
            embed("text")
        assert caught.value.retry_after == 40
    assert len(server.requests) == 2


def test_a_wait_of_nothing_is_still_some_wait(server: OpenAIServer, embedder: Embedder) -> None:
    server.always(answer(503, headers={"Retry-After": "0"}))
    with pytest.raises(EmbedderUnavailable) as caught:
        embedder.embed_query("text")
    assert caught.value.retry_after


def test_a_quota_that_is_used_up_is_not_asked_again(
    server: OpenAIServer, embedder: Embedder
) -> None:
    server.next(answer(429, {"error": {"code": "insufficient_quota", "message": "pay"}}))
    with pytest.raises(EmbedderUnavailable) as caught:
        embedder.embed_passages(["text"])
    assert caught.value.retry_after == 600
    assert len(server.requests) == 1


def test_a_job_tries_more_often_than_somebody_who_waits(
    server: OpenAIServer, embedder: Embedder
) -> None:
    server.next(answer(500), answer(500), answer(500))
    assert embedder.embed_passages(["text"]).shape == (1, server.dimension)
    assert len(server.requests) == 4


def test_a_server_that_failed_too_often_is_left_alone(
    server: OpenAIServer, embedder: Embedder
) -> None:
    server.always(answer(500))
    for _ in range(FAILURES):
        with pytest.raises(EmbedderUnavailable) as caught:
            embedder.embed_query("text")
    assert len(server.requests) == FAILURES
    assert caught.value.retry_after is not None
    assert REST_S - 10 < caught.value.retry_after <= REST_S


def test_a_server_that_nobody_listens_at_is_unavailable(make: Build, closed_port: int) -> None:
    with pytest.raises(EmbedderUnavailable):
        make(embedder_url=f"http://127.0.0.1:{closed_port}").embed_query("text")


def test_a_server_that_comes_back_is_used_again(make: Build) -> None:
    with OpenAIServer() as first:
        embedder = make(embedder_url=first.url)
        before = embedder.embed_query("text")
    with pytest.raises(EmbedderUnavailable):
        embedder.embed_query("text")
    with OpenAIServer(port=first.port):
        assert np.array_equal(embedder.embed_query("text"), before)


def test_requests_keep_their_distance(server: OpenAIServer, make: Build) -> None:
    embedder = make(embedder_requests_per_minute=300)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(embedder.embed_query, ["a", "b", "c", "d"]))
    times = sorted(request.at for request in server.requests)
    # By the clock of who asks; it takes some time until the server sees it.
    assert times[-1] - times[0] >= 0.5


def test_whoever_would_wait_too_long_for_a_turn_is_told(server: OpenAIServer, make: Build) -> None:
    embedder = make(embedder_requests_per_minute=1)
    embedder.embed_query("text")
    with pytest.raises(EmbedderUnavailable) as caught:
        embedder.embed_query("text")
    assert caught.value.retry_after is not None
    assert 30 < caught.value.retry_after <= 60
    assert len(server.requests) == 1


# What a setting has to change


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (answer(401), "EMBEDDER_API_KEY: the server refuses it (401)"),
        (answer(403), "EMBEDDER_API_KEY: the server refuses it (403)"),
        (
            answer(404, {"error": {"message": "The model `hashed` does not exist."}}),
            "EMBEDDER_MODEL: the server has no such model (404)",
        ),
        (
            answer(404, {"error": 'model "hashed" not found, try pulling it first'}),
            "EMBEDDER_MODEL: the server has no such model (404)",
        ),
        (
            answer(400, {"error": {"message": "Model Not Exist"}}),
            "EMBEDDER_MODEL: the server has no such model (400)",
        ),
        (
            answer(404, b"404 page not found"),
            "EMBEDDER_URL: there is no such API (404); set where it begins, like https://host/v1",
        ),
        (
            openai_server.of_dimension(63),
            "EMBEDDER_MODEL: 64 dimensions are expected, the server makes 63",
        ),
    ],
)
def test_a_wrong_setting_is_named_and_not_tried_again(
    server: OpenAIServer, embedder: Embedder, behaviour: Behaviour, message: str
) -> None:
    assert embedder.dimension == 64
    server.next(behaviour)
    with pytest.raises(EmbedderMisconfigured) as caught:
        embedder.embed_query("text")
    assert caught.value.detail == message
    assert len(server.requests) == 2


def test_a_missing_key_is_called_missing(server: OpenAIServer, make: Build) -> None:
    server.next(answer(401))
    with pytest.raises(EmbedderMisconfigured, match=r"^EMBEDDER_API_KEY: missing"):
        make(embedder_api_key=None).embed_query("text")


def test_another_dimension_than_the_set_one_is_refused(server: OpenAIServer, make: Build) -> None:
    server.next(openai_server.of_dimension(64))
    with pytest.raises(EmbedderMisconfigured, match=r"^EMBEDDER_DIMENSION: 32 .* makes 64$"):
        make(embedder_dimension=32).embed_query("text")


def test_a_redirect_is_not_followed(server: OpenAIServer, embedder: Embedder) -> None:
    with OpenAIServer() as other:
        server.next(answer(307, headers={"Location": f"{other.url}/embeddings"}))
        with pytest.raises(EmbedderMisconfigured, match=r"^EMBEDDER_URL: .* elsewhere"):
            embedder.embed_query("text")
        assert other.requests == []


@pytest.mark.parametrize("url", ["http://host:x/", "http://a..b/"])
def test_an_address_that_is_none_is_refused(
    make: Build, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    # So that no proxy is asked for it.
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(EmbedderMisconfigured, match=r"^EMBEDDER_URL: no address"):
        make(embedder_url=url).embed_query("text")


def test_a_proxy_that_cannot_be_used_is_named(
    make: Build, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(EmbedderMisconfigured, match=r"^EMBEDDER_URL: the environment's proxy"):
        make(embedder_url="https://embedder.example/v1")
    # None leads to this machine.
    assert make().embed_query("text").shape == (server.dimension,)


# What is refused


def test_a_refused_batch_is_halved_until_it_is_taken(server: OpenAIServer, make: Build) -> None:
    def at_most_two(exchange: openai_server.Exchange) -> None:
        if len(exchange.body["input"]) > 2:
            exchange.reply({"error": {"message": "batch size is too large"}}, 400)
            return
        openai_server.right(exchange)

    server.always(at_most_two)
    texts = [f"text {at}" for at in range(7)]
    vectors = make().embed_passages(texts)
    wanted = [hashed_vectors.vector(text, server.dimension) for text in texts]
    assert np.allclose(vectors, wanted, atol=1e-6)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_text_is_final(server: OpenAIServer, embedder: Embedder, status: int) -> None:
    server.always(answer(status, {"error": {"message": "maximum context length is 512"}}))
    with pytest.raises(EmbedderRefused) as caught:
        embedder.embed_passages(["text"])
    assert caught.value.status == 400
    assert len(server.requests) == 1
    # For the log.
    assert "maximum context length" in str(caught.value.__cause__)


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_the_key_shows_in_no_message(server: OpenAIServer, embedder: Embedder, status: int) -> None:
    server.always(answer(status, {"error": {"message": f"wrong key {KEY}, model not found"}}))
    with pytest.raises((EmbedderMisconfigured, EmbedderRefused, EmbedderUnavailable)) as caught:
        embedder.embed_query("text")
    assert KEY not in "".join(traceback.format_exception(caught.value))
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in repr(error)
        error = error.__cause__ or error.__context__
