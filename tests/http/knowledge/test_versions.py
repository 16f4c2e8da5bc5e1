"""New versions of a document, earlier ones that come back, and versions that stop on the way."""

import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.knowledge import claims, ingestion
from app.knowledge.models import Chunk, Embedding
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents
from tests.http.browsers import Browser, serving
from tests.http.uploads import DOCUMENTS, found, names, read, replace, search, send, upload
from tests.openai_server import OpenAIServer, answer
from tests.people import ALICE

RAIN = "# Weather\n\n## Rain\n\nRain falls from clouds.\n\n## Snow\n\nSnow falls in winter.\n"
STORM = "# Weather\n\n## Rain\n\nRain falls from clouds.\n\n## Storm\n\nA storm breaks trees.\n"


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def act(browser: Browser, document_id: str, what: str) -> httpx.Response:
    return browser.post(f"{DOCUMENTS}/{document_id}/{what}")


def numbers(browser: Browser, document_id: str) -> list[tuple[int, str]]:
    """Number and state of each version, newest first."""
    listed = browser.get(f"{DOCUMENTS}/{document_id}/versions").json()
    return [(one["number"], one["state"]) for one in listed]


def words_found(browser: Browser, query: str) -> list[str]:
    hits = search(browser, query, mode="keyword")["hits"]
    return [hit["content"] for hit in hits]


def embedded(models: OpenAIServer) -> list[str]:
    """The texts of all requests for embeddings."""
    return [
        text
        for request in models.requests
        if request.path.endswith("/embeddings")
        for text in request.body["input"]
    ]


def rows(tools: Tools, model: Any) -> int:
    with tools.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_the_version_before_serves_until_the_new_one_is_ready(alice: Browser, tools: Tools) -> None:
    made = upload(alice, RAIN, "rain.md")["id"]
    assert found(alice, "snow", mode="keyword") == []
    documents.work(tools)
    assert found(alice, "snow", mode="keyword") == ["rain.md"]
    replaced = replace(alice, made, STORM, "storm.md")
    assert (replaced["current"], replaced["newest"]["number"]) == (1, 2)
    assert (replaced["name"], replaced["newest"]["state"]) == ("storm.md", "queued")
    assert found(alice, "storm", mode="keyword") == []
    hits = search(alice, "snow", mode="semantic")["hits"]
    assert {hit["version"] for hit in hits} == {1}
    assert alice.get(f"{DOCUMENTS}/{made}/file").content == RAIN.encode()
    documents.work(tools)
    assert read(alice, made)["current"] == 2
    assert numbers(alice, made) == [(2, "ready"), (1, "replaced")]
    assert found(alice, "snow", mode="keyword") == []
    assert found(alice, "storm", mode="keyword") == ["storm.md"]
    hits = search(alice, "snow", mode="semantic")["hits"]
    assert {hit["version"] for hit in hits} == {2}
    assert alice.get(f"{DOCUMENTS}/{made}/file").content == STORM.encode()
    assert alice.get(f"{DOCUMENTS}/{made}/file?version=1").content == RAIN.encode()


def test_a_passage_that_stays_is_not_embedded_again(
    alice: Browser, tools: Tools, models: OpenAIServer
) -> None:
    long = "\n\n".join(
        f"## Part {at}\n\n" + f"number {at} says {at} again. " * 60 for at in range(6)
    )
    made = upload(alice, f"# Book\n\n{long}\n")["id"]
    documents.work(tools)
    before, kept = len(embedded(models)), rows(tools, Embedding)
    chunks = read(alice, made)["newest"]["chunks"]
    assert before >= chunks == kept > 5
    replace(alice, made, f"# Book\n\n{long}\n\n## Last\n\nSomething new at the end.")
    documents.work(tools)
    assert read(alice, made)["current"] == 2
    more = embedded(models)[before:]
    assert len(more) == rows(tools, Embedding) - kept < 3
    assert any("Something new" in one for one in more)
    # The first file again needs nothing.
    act(alice, made, "versions/1/restore")
    documents.work(tools)
    assert read(alice, made)["current"] == 3
    assert embedded(models)[before:] == more
    assert rows(tools, Chunk) == chunks


def test_an_earlier_version_comes_back_as_the_newest(alice: Browser, tools: Tools) -> None:
    made = upload(alice, RAIN)["id"]
    documents.work(tools)
    replace(alice, made, STORM)
    documents.work(tools)
    restored = act(alice, made, "versions/1/restore").json()
    assert (restored["newest"]["number"], restored["current"]) == (3, 2)
    assert words_found(alice, "snow") == []
    documents.work(tools)
    assert numbers(alice, made) == [(3, "ready"), (2, "replaced"), (1, "replaced")]
    assert len(words_found(alice, "snow")) == 1
    assert words_found(alice, "storm") == []
    # It is the newest already.
    assert act(alice, made, "versions/3/restore").json() == read(alice, made)
    assert act(alice, made, "versions/1/restore").json() == read(alice, made)
    missing = act(alice, made, "versions/9/restore")
    assert error_of(missing) == (404, "DocumentVersionNotFound")


def test_a_file_of_another_document_is_no_new_version(alice: Browser, tools: Tools) -> None:
    first, second = upload(alice, "1", "1.md")["id"], upload(alice, "2", "2.md")["id"]
    assert error_of(send(alice, "2", into=first)) == (409, "DocumentTaken")
    replace(alice, first, "3")
    upload(alice, "1")
    assert error_of(act(alice, first, "versions/1/restore")) == (409, "DocumentTaken")
    # The same file as its own is nothing new.
    assert replace(alice, second, "2")["newest"]["number"] == 1
    documents.work(tools)
    assert numbers(alice, first) == [(2, "ready"), (1, "replaced")]


def test_no_more_versions_are_kept_than_may_be(settings: Settings) -> None:
    few = settings.model_copy(update={"knowledge_version_limit": 3})
    with serving(few) as service, documents.tools(few) as tools:
        alice = service.browser_of(ALICE)
        made = upload(alice, "text 0")["id"]
        documents.work(tools)
        for at in range(1, 6):
            replace(alice, made, f"text {at}")
            documents.work(tools)
        listed = numbers(alice, made)
        assert listed[0] == (6, "ready")
        assert [number for number, _ in listed] == [6, 5, 4]
        # One on its way takes no place of those that served.
        replace(alice, made, "text 6")
        assert [number for number, _ in numbers(alice, made)] == [7, 6, 5, 4]
        missing = alice.get(f"{DOCUMENTS}/{made}/file?version=1")
        assert error_of(missing) == (404, "DocumentVersionNotFound")


def test_of_many_replacements_at_a_time_the_last_one_serves(alice: Browser, tools: Tools) -> None:
    made = upload(alice, "text 0")["id"]
    for at in range(1, 4):
        replace(alice, made, f"text {at}")
    documents.work(tools)
    states = dict(numbers(alice, made))
    assert states.pop(4) == "ready"
    assert set(states.values()) == {"replaced"}
    assert words_found(alice, "text") == ["text 3"]


def test_a_cancelled_version_is_not_read_and_can_be_tried_again(
    alice: Browser, tools: Tools
) -> None:
    made = upload(alice, "rain")["id"]
    cancelled = act(alice, made, "cancel").json()
    assert (cancelled["newest"]["state"], cancelled["current"]) == ("cancelled", None)
    documents.work(tools)
    assert numbers(alice, made) == [(1, "cancelled")]
    assert found(alice, "rain") == []
    assert error_of(act(alice, made, "cancel")) == (409, "NothingToCancel")
    assert act(alice, made, "retry").json()["newest"]["state"] == "queued"
    assert error_of(act(alice, made, "retry")) == (409, "NothingToRetry")
    documents.work(tools)
    assert numbers(alice, made) == [(1, "ready")]
    assert found(alice, "rain", mode="keyword") == ["text.md"]
    assert error_of(act(alice, made, "cancel")) == (409, "NothingToCancel")
    assert error_of(act(alice, made, "retry")) == (409, "NothingToRetry")


def test_a_cancelled_replacement_leaves_the_version_before(alice: Browser, tools: Tools) -> None:
    made = upload(alice, "rain")["id"]
    documents.work(tools)
    replace(alice, made, "snow")
    assert act(alice, made, "cancel").json()["current"] == 1
    documents.work(tools)
    assert words_found(alice, "rain") == ["rain"]
    assert words_found(alice, "snow") == []
    # The same file again tries it again.
    assert replace(alice, made, "snow")["newest"]["state"] == "queued"
    documents.work(tools)
    assert words_found(alice, "snow") == ["snow"]


def test_a_version_that_a_worker_has_in_hand_can_be_cancelled(
    alice: Browser, tools: Tools, models: OpenAIServer
) -> None:
    made = upload(alice, "rain")["id"]
    asked, go_on = threading.Event(), threading.Event()

    def wait(exchange: Any) -> None:
        asked.set()
        go_on.wait()
        exchange.reply({"data": exchange.embeddings(models.dimension)})

    models.next(wait)
    worker = threading.Thread(target=ingestion.work_next, args=(tools, threading.Event()))
    worker.start()
    try:
        assert asked.wait(60)
        assert read(alice, made)["newest"]["state"] == "embedding"
        assert act(alice, made, "cancel").json()["newest"]["state"] == "cancelled"
    finally:
        go_on.set()
        worker.join()
    assert numbers(alice, made) == [(1, "cancelled")]
    assert found(alice, "rain") == []
    assert rows(tools, Chunk) == 0


def test_a_file_that_cannot_be_read_fails_and_says_why(alice: Browser, tools: Tools) -> None:
    made = upload(alice, b"", "empty.md")["id"]
    documents.work(tools)
    newest = read(alice, made)["newest"]
    assert (newest["state"], newest["error"]) == ("failed", "FileEmpty")
    assert "empty" in newest["problem"]
    assert newest["finished_at"]
    # Uploaded again it is tried again, with the same end.
    assert send(alice, b"").json()["newest"]["state"] == "queued"
    documents.work(tools)
    assert read(alice, made)["newest"]["state"] == "failed"
    assert names(alice) == ["empty.md"]


@pytest.mark.parametrize("status", [500, 429, 401])
def test_a_version_waits_while_the_embedder_is_away(
    alice: Browser, tools: Tools, models: OpenAIServer, status: int
) -> None:
    made = upload(alice, "rain")["id"]
    models.always(answer(status))
    assert ingestion.work_next(tools, threading.Event())
    newest = read(alice, made)["newest"]
    assert newest["state"] == "embedding"
    assert newest["error"] in {"EmbedderUnavailable", "EmbedderMisconfigured"}
    assert newest["problem"]
    assert claims.take(tools.database) is None
