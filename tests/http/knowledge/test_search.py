"""Searches over HTTP: modes, filters, what is shown of a hit, and what remains of a search."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.embedders.gate import Gate
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents
from tests.documents import BACKUPS, NOVEL, PHOTOSYNTHESIS, WATER
from tests.http.browsers import Browser, Service, serving
from tests.http.uploads import DOCUMENTS, found, search, upload
from tests.openai_server import OpenAIServer, answer
from tests.people import ALICE, BOB

MODES = ("semantic", "keyword", "hybrid")


def ask(browser: Browser, **payload: Any) -> httpx.Response:
    return browser.post("/api/knowledge/search", json=payload)


def history(browser: Browser, **page: Any) -> list[dict[str, Any]]:
    answer = browser.get("/api/knowledge/history", params=page)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
def shelf(alice: Browser, bob: Browser, tools: Tools) -> dict[str, str]:
    """The documents of alice by their names, and one of bob."""
    made = {
        name: upload(alice, content, name, tags=tags)["id"]
        for name, content, tags in (
            ("water.md", WATER, "科学,zh"),
            ("novel.md", NOVEL, "文学,zh"),
            ("backups.md", BACKUPS, "en"),
        )
    }
    upload(bob, PHOTOSYNTHESIS, "plants.md")
    documents.work(tools)
    return made


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_finds_english_and_chinese_and_only_ones_own(
    alice: Browser, bob: Browser, shelf: dict[str, str], mode: str
) -> None:
    assert found(alice, "蒸发", mode=mode)[0] == "water.md"
    assert found(alice, "copy of the database", mode=mode)[0] == "backups.md"
    assert set(found(bob, "蒸发 chlorophyll database", mode=mode)) == {"plants.md"}
    assert search(alice, "蒸发", mode=mode)["mode"] == mode
    assert search(alice, "蒸发", mode=mode)["degraded"] is None
    assert shelf


def test_hybrid_is_what_a_search_is_by_itself(alice: Browser, shelf: dict[str, str]) -> None:
    assert search(alice, "水蒸气")["mode"] == "hybrid"
    assert found(alice, "水蒸气")[0] == "water.md"
    assert shelf


@pytest.mark.parametrize("mode", MODES)
def test_filters_narrow_a_search_down(alice: Browser, shelf: dict[str, str], mode: str) -> None:
    query = "贾府 copy 蒸发 水"

    def names(**chosen: Any) -> set[str]:
        return set(found(alice, query, mode=mode, limit=50, **chosen))

    assert names() == {"water.md", "novel.md", "backups.md"}
    assert names(document=shelf["novel.md"]) == {"novel.md"}
    assert names(tag="zh") == {"water.md", "novel.md"}
    assert names(tag="zh", document=shelf["backups.md"]) == set()
    assert names(tag="ZH") == set()
    moment = alice.get(f"{DOCUMENTS}/{shelf['novel.md']}").json()["created_at"]
    assert names(after=moment) == {"novel.md", "backups.md"}
    assert names(before=moment) == {"water.md"}
    assert names(after=moment, before=moment) == set()
    later = (datetime.fromisoformat(moment) + timedelta(days=1)).isoformat()
    assert names(after=later) == set()
    assert names(document="00000000-0000-0000-0000-000000000000") == set()


# What is looked for, and what is highlighted of it.
MARKED = {
    "蒸发": {"蒸发"},
    "restoring databases": {"restore", "database"},
    "newest copy": {"newest", "copy"},
    "Restore 降水 logs": {"restore", "降水", "log"},
}


@pytest.mark.parametrize("mode", MODES)
def test_offsets_and_highlights_are_right_in_the_text_of_the_document(
    alice: Browser, shelf: dict[str, str], mode: str
) -> None:
    for query, wanted in MARKED.items():
        assert marked(alice, shelf, query, mode) == wanted


def marked(alice: Browser, shelf: dict[str, str], query: str, mode: str) -> set[str]:
    """What is highlighted in all hits, in small letters; every offset is looked at."""
    hits = search(alice, query, mode=mode)["hits"]
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    seen = set()
    for hit in hits:
        path = f"{DOCUMENTS}/{hit['document_id']}/text"
        text = alice.get(path, params={"length": 100_000}).json()["text"]
        assert text[hit["start"] : hit["end"]] == hit["content"]
        begin = hit["snippet_start"]
        assert text[begin : begin + len(hit["snippet"])] == hit["snippet"]
        assert hit["start"] <= begin <= begin + len(hit["snippet"]) <= hit["end"]
        last = 0
        for start, end in hit["highlights"]:
            assert last <= start < end <= len(hit["snippet"])
            last = end
            seen.add(hit["snippet"][start:end].lower())
        assert shelf[hit["name"]] == hit["document_id"]
        assert (hit["version"], hit["page"]) == (1, None)
    return seen


def test_a_passage_tells_its_headings(alice: Browser, shelf: dict[str, str]) -> None:
    (hit,) = search(alice, "抄家", mode="keyword")["hits"]
    assert hit["title"] == "红楼梦"
    assert "结局" in [*hit["headings"], *hit["content"].splitlines()[:5]]
    assert shelf


def test_a_limit_cuts_the_list_and_keeps_the_best(alice: Browser, tools: Tools) -> None:
    for at in range(6):
        upload(alice, f"rain and number {at}", f"{at}.md")
    documents.work(tools)
    for mode in MODES:
        whole = found(alice, "rain number 3", mode=mode, limit=50)
        assert len(whole) == 6
        assert whole[0] == "3.md"
        for limit in (1, 2, 5):
            assert found(alice, "rain number 3", mode=mode, limit=limit) == whole[:limit]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"query": ""},
        {"query": "  "},
        {"query": None},
        {"query": "x" * 1_001},
        {"query": "a\0b"},
        {"query": "\ud83d"},
        {"query": "rain", "mode": "magic"},
        {"query": "rain", "limit": 0},
        {"query": "rain", "limit": 51},
        {"query": "rain", "document": "x" * 37},
        {"query": "rain", "document": "a\0b"},
        {"query": "rain", "tag": ""},
        {"query": "rain", "tag": "a\0b"},
        {"query": "rain", "after": "yesterday"},
        {"query": "rain", "after": "2026-01-01T00:00:00"},
        {"query": "rain", "user_id": 2},
    ],
    ids=lambda payload: f"{payload!a:.40}",
)
def test_what_is_no_search_is_refused(alice: Browser, payload: dict[str, Any]) -> None:
    refused = ask(alice, **payload)
    assert (refused.status_code, refused.json()["error"]) == (422, "InvalidPayload")
    assert history(alice) == []


@pytest.mark.parametrize("mode", MODES)
def test_any_text_can_be_looked_for(alice: Browser, shelf: dict[str, str], mode: str) -> None:
    for query in (
        "x" * 1_000,
        "水" * 1_000,
        "?!",
        "'; DROP TABLE documents; --",
        "rain & !snow | (storm:*)",
        '"rain" NEAR(snow) OR -x* ^',
        "\u202e\ufffd\u200b",
        "👩‍🔬",
        "\\",
        "%_",
    ):
        assert ask(alice, query=query, mode=mode).status_code == 200
    assert shelf


# When Qdrant or the embedder is away


@pytest.fixture
def without_qdrant(
    settings: Settings, closed_port: int, shelf: dict[str, str]
) -> Iterator[Service]:
    """The same service where Qdrant was, and is no more."""
    assert shelf
    away = settings.model_copy(
        update={"qdrant_url": f"http://127.0.0.1:{closed_port}", "qdrant_path": None}
    )
    with serving(away) as service:
        yield service


def test_without_qdrant_the_database_answers_a_search_for_words(without_qdrant: Service) -> None:
    alice, bob = without_qdrant.browser_of(ALICE), without_qdrant.browser_of(BOB)
    for mode in ("keyword", "hybrid"):
        answered = search(alice, "蒸发", mode=mode)
        assert answered["mode"] == "keyword"
        assert "Qdrant" in answered["degraded"]
        assert [hit["name"] for hit in answered["hits"]] == ["water.md"]
        assert found(alice, "newest copies", mode=mode)[0] == "backups.md"
        assert set(found(alice, "蒸发 贾府 copy", mode=mode, tag="zh")) == {"water.md", "novel.md"}
        assert found(bob, "蒸发", mode=mode) == []
        assert found(bob, "chlorophyll", mode=mode) == ["plants.md"]
        assert found(alice, "?!", mode=mode) == []
    refused = ask(alice, query="蒸发", mode="semantic")
    assert (refused.status_code, refused.json()["error"]) == (503, "SemanticSearchUnavailable")
    assert int(refused.headers["retry-after"]) > 0


def test_without_qdrant_documents_come_and_go(without_qdrant: Service) -> None:
    alice = without_qdrant.browser_of(ALICE)
    made = upload(alice, "new")["id"]
    assert alice.get(f"{DOCUMENTS}/{made}/file").content == b"new"
    assert alice.delete(f"{DOCUMENTS}/{made}").status_code == 204
    listed = alice.get(DOCUMENTS).json()["items"]
    water = next(one["id"] for one in listed if one["name"] == "water.md")
    assert alice.delete(f"{DOCUMENTS}/{water}").status_code == 204
    assert found(alice, "蒸发", mode="keyword") == []


def test_without_the_embedder_words_are_found_by_qdrant(
    alice: Browser, shelf: dict[str, str], models: OpenAIServer
) -> None:
    models.always(answer(500))
    answered = search(alice, "蒸发")
    assert (answered["mode"], answered["hits"][0]["name"]) == ("keyword", "water.md")
    assert answered["degraded"]
    refused = ask(alice, query="蒸发", mode="semantic")
    assert (refused.status_code, refused.json()["error"]) == (503, "SemanticSearchUnavailable")
    assert refused.headers["retry-after"]
    assert found(alice, "蒸发", mode="keyword") == ["water.md"]
    assert shelf


def test_when_the_embedder_has_too_many_to_serve_words_are_found(
    service: Service, alice: Browser, shelf: dict[str, str], settings: Settings
) -> None:
    gate: Gate = service.app.state.searcher.gate
    with ExitStack() as taken:
        for _ in range(settings.web_threads // 3):
            taken.enter_context(gate.entered())
        assert search(alice, "蒸发")["mode"] == "keyword"
        assert ask(alice, query="蒸发", mode="semantic").status_code == 503
    assert search(alice, "蒸发")["mode"] == "hybrid"
    assert shelf


@pytest.mark.parametrize("mode", MODES)
def test_many_hits_take_no_more_statements_than_one(
    service: Service, alice: Browser, bob: Browser, tools: Tools, mode: str
) -> None:
    upload(alice, "rain")
    for at in range(8):
        upload(bob, f"rain {at}", tags=["a", "b"])
    documents.work(tools)
    counts = []
    for browser, hits in ((alice, 1), (bob, 8)):
        with service.statements() as seen:
            assert len(found(browser, "rain", mode=mode)) == hits
        counts.append(len(seen))
    assert counts[0] == counts[1] > 0


# History and feedback


def test_a_history_has_ones_own_searches_newest_first(
    alice: Browser, bob: Browser, shelf: dict[str, str]
) -> None:
    first = search(alice, "蒸发", mode="keyword")
    second = search(alice, "nothing like it 42", mode="keyword")
    search(bob, "chlorophyll", mode="keyword")
    listed = history(alice)
    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    assert [one["query"] for one in listed] == ["nothing like it 42", "蒸发"]
    assert (listed[1]["mode"], listed[1]["kind"]) == ("keyword", "search")
    (hit,) = first["hits"]
    shown = {name: hit[name] for name in ("document_id", "version", "ordinal")}
    assert listed[1]["hits"] == [shown]
    assert listed[1]["milliseconds"] >= 0
    assert shelf


def test_pages_of_a_history_are_the_whole(alice: Browser, tools: Tools) -> None:
    assert tools
    made = [search(alice, f"query {at}", mode="keyword")["id"] for at in range(5)]
    seen: list[int] = []
    page: dict[str, Any] = {"next_cursor": None}
    for _ in range(3):
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = alice.get("/api/knowledge/history", params={"limit": 2} | cursor).json()
        seen += [one["id"] for one in page["items"]]
    assert seen == made[::-1]
    assert page["next_cursor"] is None


def test_a_deleted_history_is_gone_with_its_feedback_and_is_not_anothers(
    alice: Browser, bob: Browser, tools: Tools
) -> None:
    assert tools
    asked = search(alice, "rain", mode="keyword")
    search(bob, "snow", mode="keyword")
    path = f"/api/knowledge/history/{asked['id']}/feedback"
    assert alice.put(path, json={"useful": False}).status_code == 204
    assert alice.delete("/api/knowledge/history").status_code == 204
    assert history(alice) == []
    assert len(history(bob)) == 1
    assert alice.put(path, json={"useful": False}).status_code == 404
    # Its number is never another one's.
    assert search(alice, "storm", mode="keyword")["id"] > asked["id"]
    assert alice.put(path, json={"useful": False}).status_code == 404


def test_feedback_is_for_a_hit_of_an_own_search_or_for_the_whole(
    alice: Browser, bob: Browser, shelf: dict[str, str]
) -> None:
    asked = search(alice, "蒸发", mode="keyword")
    path = f"/api/knowledge/history/{asked['id']}/feedback"

    def say(browser: Browser, **said: Any) -> int:
        return browser.put(path, json=said).status_code

    assert say(alice, useful=True) == 204
    assert say(alice, useful=False, rank=1, comment="太长了 👎") == 204
    assert say(alice, useful=True, rank=1) == 204
    assert say(alice, useful=True, rank=2) == 404
    assert say(bob, useful=True) == 404
    assert say(alice, useful=True, rank=101) == 422
    assert say(alice, useful=True, comment="x" * 501) == 422
    assert say(alice, useful=True, comment="a\0b") == 422
    assert say(alice) == 422
    assert shelf
