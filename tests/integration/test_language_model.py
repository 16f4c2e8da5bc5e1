"""A language model behind HTTP, with a real server that behaves badly."""

import traceback
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest

from app.breaker import FAILURES
from app.completions import client
from app.completions.client import LanguageModel
from app.completions.errors import (
    LanguageModelMisconfigured,
    LanguageModelRefused,
    LanguageModelUnavailable,
)
from app.completions.messages import Message
from app.settings import Settings
from tests import openai_server
from tests.openai_server import Behaviour, Exchange, OpenAIServer, answer, saying

KEY = "sk-sesame-open-42"
QUESTION = [Message("system", "Answer in one word."), Message("user", "思维 导图 and maps")]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as made:
        yield made


Build = Callable[..., LanguageModel]


@pytest.fixture
def make(server: OpenAIServer) -> Iterator[Build]:
    made: list[LanguageModel] = []

    def make_one(**given: Any) -> LanguageModel:
        values = {"llm_api_key": KEY, "llm_model": "echo", "llm_url": server.url}
        made.append(LanguageModel(Settings.model_validate(values | given)))
        return made[-1]

    yield make_one
    for one in made:
        one.close()


@pytest.fixture
def model(make: Build) -> LanguageModel:
    return make()


# Settings


def test_what_is_missing_is_named() -> None:
    assert client.missing(Settings()) == ["LLM_MODEL", "LLM_URL"]
    assert client.missing(Settings(llm_model="m", llm_url="http://host")) == []
    with pytest.raises(LanguageModelMisconfigured, match=r"^LLM_MODEL and LLM_URL: missing$"):
        LanguageModel(Settings())


# Whole answers


def test_an_answer_comes_with_what_it_took(server: OpenAIServer, model: LanguageModel) -> None:
    got = model.complete(QUESTION)
    assert got.text == "思维 导图 and maps"
    assert (got.input_tokens, got.output_tokens, got.estimated) == (11, 7, False)
    assert got.model == "echo"
    assert got.seconds > 0
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "echo",
        "messages": [
            {"role": "system", "content": "Answer in one word."},
            {"role": "user", "content": "思维 导图 and maps"},
        ],
    }


def test_tokens_are_estimated_where_the_server_does_not_tell(
    server: OpenAIServer, model: LanguageModel
) -> None:
    choice = {"message": {"content": "four words of answer"}}
    for usage in (None, {}, {"prompt_tokens": -1, "completion_tokens": 1}, "many"):
        server.next(answer(200, {"choices": [choice], "usage": usage}))
        got = model.complete(QUESTION)
        assert got.estimated
        assert 10 < got.input_tokens < 40
        assert 4 <= got.output_tokens < 12


@pytest.mark.parametrize("content", [None, "", ["parts"]])
def test_an_answer_without_words_is_empty(
    server: OpenAIServer, model: LanguageModel, content: Any
) -> None:
    server.next(answer(200, {"choices": [{"message": {"content": content}}]}))
    assert model.complete(QUESTION).text == ""


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(500),
        answer(429, headers={"Retry-After": "1"}),
        answer(200, b'{"choices"'),
        answer(200, {"choices": []}),
        answer(200, {"choices": "none"}),
        answer(200, {"error": {"message": "overloaded"}}),
        answer(200, ["no object"]),
        openai_server.cut_off,
        openai_server.reset,
    ],
)
def test_what_fails_for_a_moment_is_tried_again(
    server: OpenAIServer, model: LanguageModel, behaviour: Behaviour
) -> None:
    server.next(behaviour)
    assert model.complete(QUESTION).text == "思维 导图 and maps"
    assert len(server.requests) == 2


def test_a_lone_surrogate_can_be_sent(model: LanguageModel) -> None:
    assert model.complete([Message("user", "a\ud800b")]).text == "a?b"


# Refusals


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (answer(401), "LLM_API_KEY: the server refuses it (401)"),
        (
            answer(404, {"error": {"code": "model_not_found", "message": "nothing"}}),
            "LLM_MODEL: the server has no such model (404)",
        ),
        (
            answer(302, headers={"Location": "https://elsewhere.example/"}),
            "LLM_URL: the server sends one elsewhere (302); set the address it means",
        ),
    ],
)
def test_a_wrong_setting_is_named(
    server: OpenAIServer, model: LanguageModel, behaviour: Behaviour, message: str
) -> None:
    server.always(behaviour)
    for ask in (model.complete, model.stream):
        with pytest.raises(LanguageModelMisconfigured) as caught:
            ask(QUESTION)
        assert caught.value.detail == message
    assert len(server.requests) == 2


def test_messages_that_the_model_does_not_take_are_refused(
    server: OpenAIServer, model: LanguageModel
) -> None:
    server.always(answer(400, {"error": {"message": "maximum context length is 8192"}}))
    for ask in (model.complete, model.stream):
        with pytest.raises(LanguageModelRefused):
            ask(QUESTION)


def test_a_model_that_failed_too_often_is_left_alone(
    server: OpenAIServer, model: LanguageModel
) -> None:
    server.always(answer(500))
    for _ in range(FAILURES):
        with pytest.raises(LanguageModelUnavailable):
            model.stream(QUESTION)
    assert len(server.requests) == FAILURES


def test_the_key_shows_in_no_message(server: OpenAIServer, model: LanguageModel) -> None:
    server.always(answer(401, {"error": {"message": f"wrong key {KEY}"}}))
    with pytest.raises(LanguageModelMisconfigured) as caught:
        model.complete(QUESTION)
    assert KEY not in "".join(traceback.format_exception(caught.value))


# Streams


def test_an_answer_comes_in_pieces_with_what_it_took(
    server: OpenAIServer, model: LanguageModel
) -> None:
    with model.stream(QUESTION) as stream:
        assert list(stream) == ["思维", "导图", "and", "maps"]
    got = stream.completion
    assert got.text == "思维导图andmaps"
    assert (got.input_tokens, got.output_tokens, got.estimated) == (11, 7, False)
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


def test_a_stream_without_usage_is_estimated(server: OpenAIServer, model: LanguageModel) -> None:
    server.next(saying("four ", "words ", "of ", "answer"))
    stream = model.stream(QUESTION)
    assert "".join(stream) == "four words of answer"
    assert stream.completion.estimated
    assert 4 <= stream.completion.output_tokens < 12


def test_a_server_that_does_not_know_the_option_is_asked_without_it(
    server: OpenAIServer, model: LanguageModel
) -> None:
    server.next(answer(422, {"detail": "extra fields: stream_options"}), saying("words"))
    assert list(model.stream(QUESTION)) == ["words"]
    assert "stream_options" not in server.requests[1].body


def test_ends_of_lines_inside_of_a_piece_stay_there(
    server: OpenAIServer, model: LanguageModel
) -> None:
    piece = "one\u2028two\x85three\rfour\n\nfive"
    server.next(saying(piece))
    assert list(model.stream(QUESTION)) == [piece]


def test_a_stream_is_read_however_it_is_cut_and_framed(
    server: OpenAIServer, model: LanguageModel
) -> None:
    def byte_by_byte(exchange: Exchange) -> None:
        exchange.begin_stream()
        text = (
            ': hello\r\nevent: message\r\ndata:{"choices":[{"delta":{"content":"知"}}]}\r\n\r\n'
            'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
            'data: {"choices":[{"delta":{"content":"识"},"finish_reason":"stop"}]}\n\n'
            "data: [DONE]"
        )
        for byte in text.encode():
            exchange.wfile.write(bytes([byte]))

    server.next(byte_by_byte)
    assert list(model.stream(QUESTION)) == ["知", "识"]


@pytest.mark.parametrize(
    "behaviour", [answer(503), answer(200, b""), openai_server.reset, openai_server.cut_off]
)
def test_a_stream_is_tried_again_before_its_first_piece(
    server: OpenAIServer, model: LanguageModel, behaviour: Behaviour
) -> None:
    server.next(behaviour)
    assert "".join(model.stream(QUESTION)) == "思维导图andmaps"
    assert len(server.requests) == 2


def test_a_stream_that_breaks_off_says_so_and_is_not_begun_again(
    server: OpenAIServer, model: LanguageModel
) -> None:
    server.next(saying("half ", "of it", ends=False))
    stream = model.stream(QUESTION)
    assert [next(stream), next(stream)] == ["half ", "of it"]
    with pytest.raises(LanguageModelUnavailable):
        next(stream)
    assert len(server.requests) == 1
    assert stream.completion.text == "half of it"
    assert stream.completion.estimated


@pytest.mark.parametrize("event", ['{"error": {"message": "overloaded"}}', "{", "[]", "[" * 9_999])
def test_an_event_that_cannot_be_used_ends_the_stream(
    server: OpenAIServer, model: LanguageModel, event: str
) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.event({"choices": [{"delta": {"content": "begun"}}]})
        exchange.event(event)

    server.next(behave)
    stream = model.stream(QUESTION)
    assert next(stream) == "begun"
    with pytest.raises(LanguageModelUnavailable):
        next(stream)


def test_a_stream_that_falls_silent_is_left(server: OpenAIServer, make: Build) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.event({"choices": [{"delta": {"content": "begun"}}]})
        # Comments keep the connection open, and are no answer.
        while not exchange.server.owner.closing.wait(0.02):
            exchange.wfile.write(b": ping\n\n")

    server.next(behave)
    stream = make(llm_timeout_s=0.3).stream(QUESTION)
    assert next(stream) == "begun"
    with pytest.raises(LanguageModelUnavailable):
        next(stream)


def test_a_stream_without_end_is_left(
    server: OpenAIServer, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 100_000)

    def behave(exchange: Exchange) -> None:
        exchange.begin_stream()
        while not exchange.server.owner.closing.is_set():
            exchange.event({"choices": [{"delta": {"content": "more "}}]})

    server.next(behave)
    stream = model.stream(QUESTION)
    with pytest.raises(LanguageModelUnavailable):
        list(stream)
    assert len(stream.completion.text) < 100_000


def test_the_server_notices_that_a_stream_is_closed(
    server: OpenAIServer, model: LanguageModel
) -> None:
    noticed = Event()

    def behave(exchange: Exchange) -> None:
        exchange.begin_stream()
        try:
            while not exchange.server.owner.closing.wait(0.01):
                exchange.event({"choices": [{"delta": {"content": "more "}}]})
        except ConnectionError:
            noticed.set()

    server.next(behave)
    with model.stream(QUESTION) as stream:
        assert next(stream) == "more "
    assert noticed.wait(30)
    assert list(stream) == []
    assert stream.completion.text == "more "
    assert model.complete(QUESTION).text == "思维 导图 and maps"
