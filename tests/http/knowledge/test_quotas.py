"""How much somebody may have: exactly that, whoever uploads at once with whom."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.knowledge import ingestion
from app.knowledge.models import Chunk
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents
from tests.http.browsers import Browser, Service, serving
from tests.http.uploads import DOCUMENTS, names, read, replace, send, upload
from tests.people import ALICE, BOB

MB = 1024 * 1024
AT_ONCE = 6


def holdings(browser: Browser) -> dict[str, Any]:
    found: dict[str, Any] = browser.get("/api/knowledge").json()
    return found


def at_once(service: Service, ask: Callable[[Browser, int], httpx.Response]) -> Counter[int]:
    """How often each status came, of requests that alice sends at the same time."""
    browsers = [service.browser_of(ALICE) for _ in range(AT_ONCE)]
    ready = Barrier(AT_ONCE)

    def start(number: int) -> int:
        ready.wait()
        return ask(browsers[number], number).status_code

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return Counter(threads.map(start, range(AT_ONCE)))


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_holdings_are_counted_by_document_byte_passage_and_tag(
    alice: Browser, bob: Browser, tools: Tools, settings: Settings
) -> None:
    made = upload(alice, "rain", tags="water,sky")
    upload(alice, "snow falls", tags="water")
    documents.work(tools)
    replace(alice, made["id"], "storm")
    assert holdings(alice) == {
        "documents": 2,
        "document_quota": settings.knowledge_document_quota,
        "size": len("rainsnow fallsstorm"),
        "size_quota": settings.knowledge_storage_quota_mb * MB,
        "chunks": 2,
        "chunk_quota": settings.knowledge_chunk_quota,
        "tags": {"sky": 1, "water": 2},
    }
    assert holdings(bob)["documents"] == holdings(bob)["size"] == holdings(bob)["chunks"] == 0


def test_one_document_too_many_is_refused_until_one_is_deleted(settings: Settings) -> None:
    with serving(settings.model_copy(update={"knowledge_document_quota": 2})) as service:
        alice = service.browser_of(ALICE)
        first = upload(alice, "1")
        upload(alice, "2")
        refused = send(alice, "3")
        assert error_of(refused) == (409, "DocumentLimitReached")
        assert "2" in refused.json()["detail"]
        # What is there already takes no room.
        assert send(alice, "2").status_code == 200
        replace(alice, first["id"], "3")
        upload(service.browser_of(BOB), "of bob")
        assert alice.delete(f"{DOCUMENTS}/{first['id']}").status_code == 204
        upload(alice, "4")


def test_uploads_at_once_make_no_document_too_many(settings: Settings) -> None:
    with serving(settings.model_copy(update={"knowledge_document_quota": 2})) as service:
        statuses = at_once(service, lambda browser, number: send(browser, f"text {number}"))
        assert statuses == {201: 2, 409: AT_ONCE - 2}
        assert len(names(service.browser_of(ALICE))) == 2


def test_the_same_file_twice_at_once_is_one_document(service: Service) -> None:
    statuses = at_once(service, lambda browser, _: send(browser, "rain"))
    assert statuses == {201: 1, 200: AT_ONCE - 1}
    assert len(names(service.browser_of(ALICE))) == 1


def test_versions_count_for_the_bytes_and_restored_ones_again(settings: Settings) -> None:
    with serving(settings.model_copy(update={"knowledge_storage_quota_mb": 1})) as service:
        alice = service.browser_of(ALICE)
        made = upload(alice, b"a" * (MB // 3))
        replace(alice, made["id"], b"b" * (MB // 3))
        assert error_of(send(alice, b"c" * (MB // 2))) == (409, "StorageLimitReached")
        refused = send(alice, b"c" * (MB // 2), into=made["id"])
        assert error_of(refused) == (409, "StorageLimitReached")
        restore = f"{DOCUMENTS}/{made['id']}/versions/1/restore"
        assert alice.post(restore).is_success
        assert error_of(alice.post(f"{DOCUMENTS}/{made['id']}/versions/2/restore")) == (
            409,
            "StorageLimitReached",
        )
        assert holdings(alice)["size"] == MB // 3 * 3


@pytest.mark.parametrize("into", [False, True], ids=["documents", "versions"])
def test_uploads_at_once_never_exceed_the_bytes(settings: Settings, into: bool) -> None:
    with serving(settings.model_copy(update={"knowledge_storage_quota_mb": 1})) as service:
        alice = service.browser_of(ALICE)
        made = upload(alice, "first")["id"] if into else None

        def ask(browser: Browser, number: int) -> httpx.Response:
            return send(browser, bytes([65 + number]) * (MB * 2 // 5), into=made)

        statuses = at_once(service, ask)
        assert statuses == {200 if into else 201: 2, 409: AT_ONCE - 2}
        assert MB * 4 // 5 - 1 <= holdings(alice)["size"] <= MB


def test_a_file_that_the_database_refuses_leaves_no_file(settings: Settings) -> None:
    with serving(settings.model_copy(update={"knowledge_document_quota": 1})) as service:
        alice = service.browser_of(ALICE)
        kept = upload(alice, "1")["newest"]["sha256"]
        for at in range(3):
            assert send(alice, f"refused {at}").status_code == 409
        left = [one.name for one in settings.files_dir.rglob("*") if len(one.name) == 64]
        assert left == [kept]


def test_one_passage_too_many_fails_and_says_so(settings: Settings, service: Service) -> None:
    few = settings.model_copy(update={"knowledge_chunk_quota": 3})
    alice, bob = service.browser_of(ALICE), service.browser_of(BOB)
    with documents.tools(few) as tools:
        first = upload(alice, "# One\n\nrain\n\n# Two\n\nsnow\n")
        documents.work(tools)
        has = read(alice, first["id"])["newest"]["chunks"]
        others = [upload(alice, f"text {at}")["id"] for at in range(4)]
        upload(bob, "of bob")
        documents.work(tools)
        newest = [read(alice, one)["newest"] for one in others]
        assert Counter(one["state"] for one in newest) == {"ready": 3 - has, "failed": 1 + has}
        refused = next(one for one in newest if one["state"] == "failed")
        assert refused["error"] == "ChunkLimitReached"
        assert "3 passages" in refused["problem"]
        assert holdings(alice)["chunks"] == 3
        assert holdings(bob)["chunks"] == 1
        # With room again it is tried again.
        ready = next(one for one, of in zip(others, newest, strict=True) if of["state"] == "ready")
        assert alice.delete(f"{DOCUMENTS}/{ready}").status_code == 204
        again = next(one for one, of in zip(others, newest, strict=True) if of is refused)
        assert alice.post(f"{DOCUMENTS}/{again}/retry").is_success
        documents.work(tools)
        assert read(alice, again)["newest"]["state"] == "ready"


def three_passages(name: str) -> str:
    return "\n\n".join(f"# Part {at} of {name}\n\n{documents.FILLING * 5}" for at in range(3))


def test_versions_of_one_document_do_not_get_by_the_quota_of_passages(
    settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.knowledge.indexing.SLICE", 1)
    alice = service.browser_of(ALICE)
    few = settings.model_copy(update={"knowledge_chunk_quota": 4})
    with documents.tools(few) as tools:
        document = upload(alice, three_passages("0"))
        documents.work(tools)
        chunks = read(alice, document["id"])["newest"]["chunks"]
        assert chunks == 3
        for at in range(1, 5):
            documents.replace(tools, ALICE.id, document["id"], three_passages(f"{at}"))
        most = 0
        while ingestion.work_next(tools, documents.NEVER):
            with tools.database.read() as session:
                most = max(most, session.scalar(select(func.count(Chunk.id))) or 0)
        # The one that is found, and the one that takes its place.
        assert most == 2 * chunks
        newest = read(alice, document["id"])["newest"]
        assert (newest["number"], newest["state"]) == (5, "ready")
        assert holdings(alice)["chunks"] == chunks
