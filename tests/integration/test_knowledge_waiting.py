"""What a document says while something that it needs is away, and that it goes on by itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psutil
import pytest

from app.knowledge import claims, consistency, ingestion, removals
from app.knowledge.schemas import VersionOut
from app.knowledge.tools import Tools
from app.settings import Settings
from app.vectors import client
from app.vectors.client import QdrantUnavailable
from tests import documents, openai_server
from tests.documents import long_text
from tests.openai_server import OpenAIServer
from tests.people import ALICE


def newest(tools: Tools, document_id: str) -> VersionOut:
    return documents.read(tools, ALICE.id, document_id).newest


@contextmanager
def without_qdrant(tools: Tools, settings: Settings, port: int) -> Iterator[Tools]:
    """As long as the block lasts, these tools look for Qdrant where nobody is."""
    away = settings.model_copy(update={"qdrant_url": f"http://127.0.0.1:{port}"})
    qdrant = client.build(away)
    try:
        yield replace(tools, qdrant=qdrant)
    finally:
        qdrant.close()


def test_without_qdrant_a_document_waits_at_the_last_step_and_goes_on_by_itself(
    hashed_tools: Tools, hashed: Settings, closed_port: int
) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("patient"))
    with without_qdrant(hashed_tools, hashed, closed_port) as tools:
        # More often than anything else is tried.
        for _ in range(ingestion.MOST_ATTEMPTS + 2):
            documents.let_time_pass(tools.database)
            assert ingestion.work_next(tools, documents.NEVER)
            version = newest(tools, document.id)
            assert (version.state, version.error) == ("indexing", "QdrantUnavailable")
            assert version.problem == "Qdrant doesn't answer; try again shortly."
            assert version.embedded == version.chunks > 0
        # Not at once again.
        assert not ingestion.work_next(tools, documents.NEVER)
    documents.let_time_pass(hashed_tools.database)
    documents.work(hashed_tools)
    version = newest(hashed_tools, document.id)
    assert (version.state, version.error, version.problem) == ("ready", None, None)
    assert consistency.check(hashed_tools, fix=False).is_clean


def test_without_qdrant_what_is_to_be_deleted_stays_so(
    hashed_tools: Tools, hashed: Settings, closed_port: int
) -> None:
    document = documents.add(hashed_tools, ALICE.id, long_text("doomed"))
    documents.work(hashed_tools)
    documents.delete(hashed_tools, ALICE.id, document.id)
    with (
        without_qdrant(hashed_tools, hashed, closed_port) as tools,
        pytest.raises(QdrantUnavailable),
    ):
        removals.drain(tools.database, tools.qdrant)
    report = consistency.check(hashed_tools, fix=False)
    # They are there, and known to be on their way out.
    assert report.points > 0
    assert report.is_clean
    assert removals.drain(hashed_tools.database, hashed_tools.qdrant)
    assert consistency.check(hashed_tools, fix=False).points == 0


@pytest.mark.parametrize(
    ("status", "error"), [(503, "EmbedderUnavailable"), (401, "EmbedderMisconfigured")]
)
def test_without_an_embedder_a_document_waits_and_goes_on_by_itself(
    hashed_tools: Tools,
    hashed: Settings,
    embedding_server: OpenAIServer,
    status: int,
    error: str,
) -> None:
    # Retry-After: who is told to come so late doesn't stay.
    embedding_server.always(openai_server.answer(status, headers={"Retry-After": "60"}))
    document = documents.add(hashed_tools, ALICE.id, long_text("patient"))
    for _ in range(ingestion.MOST_ATTEMPTS + 2):
        documents.let_time_pass(hashed_tools.database)
        assert ingestion.work_next(hashed_tools, documents.NEVER)
        version = newest(hashed_tools, document.id)
        assert (version.state, version.error, version.embedded) == ("embedding", error, 0)
        assert version.problem
    assert not ingestion.work_next(hashed_tools, documents.NEVER)
    embedding_server.always(openai_server.right)
    documents.let_time_pass(hashed_tools.database)
    # Another worker: this one has given up on the server for a while.
    with documents.opened(hashed) as tools:
        documents.work(tools)
    version = newest(hashed_tools, document.id)
    assert (version.state, version.error, version.problem) == ("ready", None, None)


@contextmanager
def crashing(sha256: str) -> Iterator[set[int]]:
    """Whatever process reads this file dies: their numbers."""
    over = threading.Event()
    crashed: set[int] = set()

    def lie_in_wait() -> None:
        me = psutil.Process()
        while not over.wait(0.005):
            for child in me.children():
                with suppress(psutil.Error):
                    if any(sha256 in argument for argument in child.cmdline()):
                        child.kill()
                        crashed.add(child.pid)

    thread = threading.Thread(target=lie_in_wait)
    thread.start()
    try:
        yield crashed
    finally:
        over.set()
        thread.join()


def test_a_file_that_crashes_its_reader_fails_after_its_tries_and_holds_up_nobody(
    hashed_tools: Tools,
) -> None:
    poison = documents.add(hashed_tools, ALICE.id, "Poison", "poison.md")
    other = documents.add(hashed_tools, ALICE.id, "Honey", "honey.md")
    said = set()
    with crashing(poison.newest.sha256) as crashed:
        while ingestion.work_next(hashed_tools, documents.NEVER):
            version = newest(hashed_tools, poison.id)
            said.add((version.state, version.error))
            if len(crashed) == 1 and newest(hashed_tools, other.id).state == "queued":
                # The poison was first, and is to be tried again later.
                assert ingestion.work_next(hashed_tools, documents.NEVER)
                assert newest(hashed_tools, other.id).state == "ready"
            documents.let_time_pass(hashed_tools.database)
    assert len(crashed) == ingestion.MOST_ERRORS
    assert said == {("extracting", "ExtractionFailed"), ("failed", "ExtractionFailed")}
    assert newest(hashed_tools, poison.id).problem
    # Another upload of the same file is another try.
    documents.add(hashed_tools, ALICE.id, "Poison", "poison.md")
    documents.work(hashed_tools)
    assert newest(hashed_tools, poison.id).state == "ready"


def test_a_document_that_kills_every_worker_fails_in_the_end(hashed_tools: Tools) -> None:
    poison = documents.add(hashed_tools, ALICE.id, "Poison", "poison.md")
    for _ in range(ingestion.MOST_ATTEMPTS):
        # A worker that dies leaves its claim behind.
        assert claims.take(hashed_tools.database) is not None
        documents.let_time_pass(hashed_tools.database)
    documents.work(hashed_tools)
    version = newest(hashed_tools, poison.id)
    assert (version.state, version.error) == ("failed", "IngestionFailed")


def test_a_long_document_does_not_keep_a_short_one_waiting(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch, embedding_server: OpenAIServer
) -> None:
    monkeypatch.setattr("app.knowledge.indexing.SLICE", 1)
    long = documents.add(hashed_tools, ALICE.id, long_text("long", 12), "long.md")
    short = documents.add(hashed_tools, ALICE.id, "Short", "short.md")
    before = len(embedding_server.requests)
    while newest(hashed_tools, short.id).state != "ready":
        assert ingestion.work_next(hashed_tools, documents.NEVER)
    # A slice of the long one, and then the short one.
    assert len(embedding_server.requests) - before <= 3
    assert newest(hashed_tools, long.id).state == "embedding"
    documents.work(hashed_tools)
    assert newest(hashed_tools, long.id).state == "ready"
    # Nothing was embedded twice.
    assert len(embedding_server.requests) - before == newest(hashed_tools, long.id).chunks + 1


def test_a_file_that_is_lost_fails_and_comes_back_with_another_upload(hashed_tools: Tools) -> None:
    document = documents.add(hashed_tools, ALICE.id, "Lost")
    hashed_tools.files.path(document.newest.sha256).unlink()
    documents.work(hashed_tools)
    version = newest(hashed_tools, document.id)
    assert (version.state, version.error) == ("failed", "FileMissing")
    assert version.problem == "The server has lost this file; upload it again."
    assert documents.add(hashed_tools, ALICE.id, "Lost").id == document.id
    documents.work(hashed_tools)
    assert newest(hashed_tools, document.id).state == "ready"
    assert consistency.check(hashed_tools, fix=False).is_clean
