"""Questions that a language model answers from one's passages."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from app.http import event_streams
from app.knowledge.tools import Tools
from app.settings import Settings
from app.usage.models import TokenUsage
from tests import commands, documents
from tests.documents import BACKUPS, WATER
from tests.http.browsers import Browser, Service, listening, serving
from tests.http.test_api_keys import bearer
from tests.http.test_api_keys import make as make_key
from tests.http.uploads import upload
from tests.openai_server import Behaviour, Exchange, OpenAIServer, answer, saying
from tests.people import ALICE

ANSWERS = "/api/knowledge/answers"


def ask(browser: Browser, question: str = "How is a copy restored?", **more: Any) -> httpx.Response:
    return browser.post(ANSWERS, json={"question": question} | more)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def told(text: str) -> list[tuple[str, Any]]:
    """The names and the data of events."""
    events = []
    for event in text.split("\n\n")[:-1]:
        name, data = event.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def recorded(service: Service) -> list[TokenUsage]:
    """The calls of models, the first one first."""
    with service.app.state.database.read() as session:
        return list(session.scalars(select(TokenUsage).order_by(TokenUsage.id)))


def has_recorded(service: Service, count: int) -> bool:
    return len(recorded(service)) == count


def saying_at_once(text: str) -> Any:
    body = {
        "choices": [{"message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 120, "completion_tokens": 9},
    }
    return answer(200, body)


@pytest.fixture
def asker(alice: Browser, bob: Browser, tools: Tools) -> Browser:
    """Alice, who has two documents, beside bob, who has one."""
    upload(alice, BACKUPS, "backups.md")
    upload(alice, WATER, "water.md", tags="zh")
    upload(bob, "The secret of bob: restore the copy at noon.", "bob.md")
    documents.work(tools)
    return alice


def test_an_answer_names_the_passages_that_it_comes_from(
    service: Service, asker: Browser, models: OpenAIServer
) -> None:
    models.always(lambda exchange: respond(exchange, "Stop the server [1]. Unpack [2][1]. [77]"))
    said = ask(asker).json()
    assert said["text"] == "Stop the server [1]. Unpack [2][1]. [77]"
    assert said["cited"] == [1, 2]
    assert [hit["rank"] for hit in said["hits"]] == list(range(1, len(said["hits"]) + 1))
    assert said["hits"][0]["name"] == "backups.md"
    assert (said["model"], said["input_tokens"], said["output_tokens"]) == ("echo", 120, 9)
    prompt = models.requests[-1].body["messages"][-1]["content"]
    for hit in said["hits"]:
        assert f"[{hit['rank']}] {hit['title']}" in prompt
        assert hit["content"] in prompt
    assert prompt.endswith("How is a copy restored?")
    assert "bob" not in prompt
    listed = asker.get("/api/knowledge/history").json()["items"]
    assert [(one["id"], one["kind"]) for one in listed] == [(said["id"], "answer")]
    (call,) = recorded(service)
    assert (call.input_tokens, call.output_tokens, call.success) == (120, 9, True)
    assert (call.user_id, call.model_name) == (ALICE.id, "echo")
    assert call.request_type == "knowledge_answer"


def respond(exchange: Exchange, text: str) -> None:
    """The right embeddings, and this answer."""
    if exchange.path.endswith("/embeddings"):
        exchange.reply({"data": exchange.embeddings(exchange.server.owner.dimension)})
    else:
        saying_at_once(text)(exchange)


def test_filters_and_limit_choose_the_passages(asker: Browser) -> None:
    hits = ask(asker, "水 copy", tag="zh").json()["hits"]
    assert {hit["name"] for hit in hits} == {"water.md"}
    document = hits[0]["document_id"]
    hits = ask(asker, "copy", document=document, limit=1).json()["hits"]
    assert [hit["name"] for hit in hits] == ["water.md"]
    assert error_of(ask(asker, "水", tag="nobody's")) == (404, "NothingFound")


def test_who_has_nothing_is_told_so_and_pays_nothing(
    service: Service, anybody: Browser, tools: Tools, models: OpenAIServer
) -> None:
    assert tools
    browser = service.browser_of(ALICE)
    for stream in (False, True):
        assert error_of(ask(browser, stream=stream)) == (404, "NothingFound")
    assert not [one for one in models.requests if one.path.endswith("/chat/completions")]
    assert recorded(service) == []
    assert error_of(ask(anybody)) == (401, "NotLoggedIn")


def test_a_stream_tells_the_hits_then_the_text_then_the_whole(
    service: Service, asker: Browser, models: OpenAIServer
) -> None:
    models.next(embed, saying("先停 ", "the\nserver [1]", "。", usage=(50, 6)))
    answered = ask(asker, stream=True)
    assert answered.headers["content-type"].startswith("text/event-stream")
    assert answered.headers["cache-control"] == "no-store"
    events = told(answered.text)
    assert [name for name, _ in events] == ["hits", "text", "text", "text", "answer"]
    whole = events[-1][1]
    assert "".join(data for name, data in events if name == "text") == whole["text"]
    assert whole["text"] == "先停 the\nserver [1]。"
    assert whole["cited"] == [1]
    assert whole["hits"] == events[0][1]["hits"]
    assert whole["id"] == events[0][1]["id"]
    # Recorded before the end is told.
    (call,) = recorded(service)
    assert (call.input_tokens, call.output_tokens, call.success) == (50, 6, True)


def embed(exchange: Exchange) -> None:
    exchange.reply({"data": exchange.embeddings(exchange.server.owner.dimension)})


def test_a_stream_that_breaks_off_says_so_and_is_recorded(
    service: Service, asker: Browser, models: OpenAIServer
) -> None:
    models.next(embed, saying("Stop ", "the server", ends=False))
    events = told(ask(asker, stream=True).text)
    assert [name for name, _ in events] == ["hits", "text", "text", "error"]
    assert events[-1][1]["error"] == "LanguageModelUnavailable"
    (call,) = recorded(service)
    assert call.success is False
    assert call.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [(500, "LanguageModelUnavailable"), (401, "LanguageModelMisconfigured")],
)
def test_a_model_that_is_away_is_said_to_be(
    service: Service, asker: Browser, models: OpenAIServer, *, status: int, error: str, stream: bool
) -> None:
    def refuse(exchange: Exchange) -> None:
        if exchange.path.endswith("/embeddings"):
            embed(exchange)
        else:
            answer(status)(exchange)

    models.always(refuse)
    refused = ask(asker, stream=stream)
    assert error_of(refused) == (503, error)
    assert int(refused.headers["retry-after"]) > 0
    assert recorded(service) == []


def test_without_a_model_the_missing_settings_are_named(settings: Settings) -> None:
    without = settings.model_copy(update={"llm_url": None, "llm_model": None})
    with serving(without) as service:
        for stream in (False, True):
            refused = ask(service.browser_of(ALICE), stream=stream)
            assert error_of(refused) == (503, "AnswersNotConfigured")
            assert "LLM_MODEL and LLM_URL" in refused.json()["detail"]


def test_usage_by_a_key_is_the_keys(service: Service, asker: Browser, anybody: Browser) -> None:
    key = make_key(asker, scopes=["knowledge:read"])
    answered = anybody.post(
        ANSWERS, json={"question": "How is a copy restored?"}, headers=bearer(key["key"])
    )
    assert answered.is_success
    (call,) = recorded(service)
    assert (call.api_key_id, call.user_id) == (key["id"], ALICE.id)


@pytest.mark.parametrize("holds", [False, True], ids=["whole", "stream"])
def test_answers_never_hold_more_than_a_third_of_the_threads(
    service: Service, asker: Browser, models: OpenAIServer, settings: Settings, holds: bool
) -> None:
    places = settings.web_threads // 3
    assert places >= 1
    asked = threading.Semaphore(0)
    go_on = threading.Event()

    def wait(exchange: Exchange) -> None:
        if exchange.path.endswith("/embeddings"):
            embed(exchange)
            return
        asked.release()
        go_on.wait()
        if exchange.body.get("stream"):
            saying("text", usage=(1, 1))(exchange)
        else:
            saying_at_once("text")(exchange)

    models.always(wait)
    with ThreadPoolExecutor(places) as threads:
        slow = [threads.submit(ask, service.browser_of(ALICE), stream=holds) for _ in range(places)]
        try:
            for _ in slow:
                assert asked.acquire(timeout=60)
            for stream in (False, True):
                refused = ask(asker, stream=stream)
                assert error_of(refused) == (503, "ModelBusy")
                assert refused.headers["retry-after"]
            # The rest of the service goes on.
            assert asker.get("/api/knowledge").is_success
            assert asker.post("/api/knowledge/search", json={"query": "copy"}).is_success
        finally:
            go_on.set()
        assert [one.result().status_code for one in slow] == [200] * places
    # The places are free again, whatever became of those that held them.
    for stream in (False, True, False, True):
        assert ask(asker, stream=stream).is_success


@pytest.fixture
def address(asker: Browser, settings: Settings) -> Iterator[str]:
    """Of the service on a real port."""
    assert asker
    with listening(settings) as url:
        yield url


def endless(models: OpenAIServer, ended: threading.Event, word: str) -> Behaviour:
    """Writes the word until nobody listens; `ended` is set then."""

    def behave(exchange: Exchange) -> None:
        exchange.begin_stream()
        try:
            while not models.closing.wait(0.02):
                exchange.event({"choices": [{"delta": {"content": word}}]})
        except OSError:
            ended.set()

    return behave


def test_a_client_that_goes_away_ends_the_answer_and_is_recorded(
    service: Service, asker: Browser, models: OpenAIServer, address: str
) -> None:
    ended = threading.Event()
    cookies = {name: str(asker.cookies[name]) for name in asker.cookies}
    # More often than there are places.
    for at in range(1, 5):
        ended.clear()
        models.next(embed, endless(models, ended, "word "))
        question = {"question": "How is a copy restored?", "stream": True}
        with (
            httpx.Client(base_url=address, cookies=cookies, trust_env=False, timeout=60) as client,
            client.stream("POST", ANSWERS, json=question) as answered,
        ):
            assert answered.status_code == 200
            lines = answered.iter_lines()
            assert next(line for line in lines if line == "event: text")
        assert ended.wait(60), "the model still writes"
        commands.wait_until(partial(has_recorded, service, at), "it is recorded")
    for call in recorded(service):
        assert call.success is False
        assert call.input_tokens > 0
        assert call.output_tokens > 0


def test_a_client_that_stays_and_reads_nothing_ends_the_answer_and_gives_back_its_place(
    service: Service,
    asker: Browser,
    models: OpenAIServer,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_streams, "SEND_S", 0.2)
    ended = threading.Event()
    with ExitStack() as held:
        # More than there are places.
        for at in range(1, 4):
            ended.clear()
            models.next(embed, endless(models, ended, "word " * 20_000))
            held.enter_context(closing(asking_without_reading(address, asker)))
            assert ended.wait(60), "the model still writes"
            commands.wait_until(partial(has_recorded, service, at), "it is recorded")
    for call in recorded(service):
        assert call.success is False
        assert call.output_tokens > 0


def asking_without_reading(address: str, browser: Browser) -> socket.socket:
    """A connection on which an answer comes, and from which nothing is taken."""
    place = urlsplit(address)
    cookies = "; ".join(f"{name}={browser.cookies[name]}" for name in browser.cookies)
    body = json.dumps({"question": "How is a copy restored?", "stream": True})
    connection = socket.socket()
    # Before it connects: afterwards it is too late for the window.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((place.hostname, place.port))
    connection.sendall(
        f"POST {ANSWERS} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookies}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return connection
