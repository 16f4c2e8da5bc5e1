"""A Qdrant that stands still, or that has more than there is, keeps nobody from an answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from app.breaker import FAILURES
from app.knowledge import search
from app.knowledge.errors import SemanticSearchUnavailable
from app.knowledge.schemas import Found, Mode
from app.knowledge.search import Searcher, Wanted
from app.knowledge.tools import Tools
from app.settings import Settings
from app.vectors import client
from app.vectors.guard import REST_S, Guard
from tests import documents
from tests.clocks import Clock
from tests.openai_server import OpenAIServer
from tests.people import ALICE

PLACES = 2
MODES: tuple[Mode, ...] = ("semantic", "keyword", "hybrid")
RAIN = "Rain falls from clouds."


class Silent:
    """Accepts connections and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def accepted(self) -> int:
        return len(self._held)

    def _accept(self) -> None:
        while True:
            try:
                self._held.append(self._socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for one in self._held:
            one.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    with closing(Silent()) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stalled(hashed_tools: Tools, silent: Silent, clock: Clock) -> Iterator[Searcher]:
    """Searches documents that are indexed, but its Qdrant doesn't answer."""
    documents.add(hashed_tools, ALICE.id, RAIN)
    documents.work(hashed_tools)
    values = hashed_tools.settings.model_dump(exclude_unset=True)
    values |= {"qdrant_url": silent.url, "qdrant_timeout_s": 1}
    with closing(client.build(Settings.model_validate(values))) as qdrant:
        yield replace(documents.searcher(hashed_tools), qdrant=qdrant, guard=Guard(PLACES, clock))


def look(searcher: Searcher, mode: Mode) -> Found:
    return search.search(searcher, Wanted(ALICE.id, "clouds", mode))


def test_it_is_asked_once_for_a_search_and_not_at_all_while_it_keeps_failing(
    stalled: Searcher,
    silent: Silent,
    hashed_tools: Tools,
    embedding_server: OpenAIServer,
    clock: Clock,
) -> None:
    for number in range(1, FAILURES + 1):
        found = look(stalled, "hybrid")
        assert (found.mode, [hit.content for hit in found.hits]) == ("keyword", [RAIN])
        assert found.degraded == client.QdrantUnavailable().detail
        assert silent.accepted == number
    embedded = len(embedding_server.requests)
    for mode in MODES[1:]:
        found = look(stalled, mode)
        assert (found.mode, [hit.content for hit in found.hits]) == ("keyword", [RAIN])
        assert found.degraded == client.QdrantUnavailable().detail
    with pytest.raises(SemanticSearchUnavailable) as refused:
        look(stalled, "semantic")
    assert refused.value.retry_after == REST_S
    assert silent.accepted == FAILURES
    # Nor is the embedder, for what wouldn't be looked for.
    assert len(embedding_server.requests) == embedded
    # Once more after a while, in vain; after another while it serves.
    for _ in range(3):
        clock.now += REST_S - 1
        assert look(stalled, "hybrid").mode == "keyword"
    assert silent.accepted == FAILURES + 1
    clock.now += REST_S
    well = replace(stalled, qdrant=hashed_tools.qdrant)
    for mode in MODES:
        found = look(well, mode)
        assert (found.mode, found.degraded) == (mode, None)
        assert [hit.content for hit in found.hits] == [RAIN]


def test_who_finds_all_places_taken_is_answered_by_the_database(
    stalled: Searcher, silent: Silent
) -> None:
    with ExitStack() as taken:
        for _ in range(PLACES):
            taken.enter_context(stalled.guard.entered())
        for mode in MODES[1:]:
            assert [hit.content for hit in look(stalled, mode).hits] == [RAIN]
        with pytest.raises(SemanticSearchUnavailable):
            look(stalled, "semantic")
        assert silent.accepted == 0


@pytest.mark.parametrize("mode", MODES)
def test_points_that_wait_to_be_deleted_hide_nothing(hashed_tools: Tools, mode: Mode) -> None:
    nearer = [
        documents.add(hashed_tools, ALICE.id, f"clouds clouds {number}", f"gone {number}.md")
        for number in range(35)
    ]
    kept = {f"kept {number}.md" for number in range(3)}
    for name in kept:
        documents.add(hashed_tools, ALICE.id, f"In {name} there are clouds and much else.", name)
    documents.work(hashed_tools)
    for one in nearer:
        documents.delete(hashed_tools, ALICE.id, one.id)
    found = look(documents.searcher(hashed_tools), mode)
    assert (found.mode, {hit.name for hit in found.hits}) == (mode, kept)
