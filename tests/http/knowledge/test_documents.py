"""Lists, changes, downloads and texts of documents."""

import re
import unicodedata
from typing import Any

import httpx
import pytest

from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents
from tests.documents import BACKUPS, WATER
from tests.http.browsers import Browser, Service
from tests.http.uploads import DOCUMENTS, names, read, replace, search, send, upload
from tests.people import ALICE, BOB, ROOT

NOBODY_S = "00000000-0000-0000-0000-000000000000"


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def change(browser: Browser, document_id: str, **values: Any) -> httpx.Response:
    return browser.patch(f"{DOCUMENTS}/{document_id}", json=values)


def test_a_list_has_ones_own_documents_newest_first(alice: Browser, bob: Browser) -> None:
    made = [upload(alice, f"text {at}", f"{at}.md") for at in range(3)]
    upload(bob, "text 0", "of bob.md")
    listed = alice.get(DOCUMENTS).json()
    assert listed == {"items": made[::-1], "next_cursor": None}


def test_pages_hold_every_document_once_while_others_come_and_go(alice: Browser) -> None:
    made = [upload(alice, f"text {at}", f"{at}.md") for at in range(7)]
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for turn in range(4):
        page = alice.get(DOCUMENTS, params={"limit": 2} | cursor).json()
        seen += [one["name"] for one in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
        if turn == 0:
            upload(alice, "later", "later.md")
            assert alice.delete(f"{DOCUMENTS}/{made[5]['id']}").status_code == 204
    assert page["next_cursor"] is None
    assert seen == ["6.md", "5.md", "4.md", "3.md", "2.md", "1.md", "0.md"]


@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "x" * 500])
def test_a_cursor_of_nobody_is_refused(alice: Browser, cursor: str) -> None:
    answer = alice.get(DOCUMENTS, params={"cursor": cursor})
    assert answer.status_code in {400, 422}


def test_a_list_is_narrowed_by_tag_state_title_and_time(alice: Browser, tools: Tools) -> None:
    upload(alice, "rain", "rain.md", title="100% Water_cycle", tags="water,sky")
    upload(alice, b"", "empty.md", tags="water")
    documents.work(tools)
    late = upload(alice, "snow", "snow.md", title="雪和雨")
    assert names(alice, tag="water") == ["empty.md", "rain.md"]
    assert names(alice, tag="Water") == []
    assert names(alice, state="ready") == ["rain.md"]
    assert names(alice, state="failed") == ["empty.md"]
    assert names(alice, state="queued", tag="water") == []
    assert names(alice, name="water_CYCLE") == ["rain.md"]
    assert names(alice, name="100%") == ["rain.md"]
    assert names(alice, name="1%W") == []
    assert names(alice, name="雨") == ["snow.md"]
    moment = late["created_at"]
    assert names(alice, after=moment) == ["snow.md"]
    assert names(alice, before=moment) == ["empty.md", "rain.md"]
    assert names(alice, after=moment, before=moment) == []


def test_a_change_sets_what_it_has_and_leaves_the_rest(alice: Browser) -> None:
    made = upload(alice, "rain", "rain.md", tags="water")
    details = {"subject": "biology", "grade": 8, "rate": 0.5, "done": True, "none": None}
    after = change(alice, made["id"], title="  雨 🌧 ", details=details).json()
    assert (after["title"], after["details"], after["tags"]) == ("雨 🌧", details, ["water"])
    assert after["updated_at"] > made["updated_at"]
    after = change(alice, made["id"], tags=["a", "b", "a"]).json()
    assert (after["title"], after["details"], after["tags"]) == ("雨 🌧", details, ["a", "b"])
    after = change(alice, made["id"], tags=[], details={}).json()
    assert (after["details"], after["tags"]) == ({}, [])
    assert read(alice, made["id"]) == after
    assert after["name"] == "rain.md"


@pytest.mark.parametrize(
    "values",
    [
        {"title": ""},
        {"title": " "},
        {"title": None},
        {"title": "x" * 301},
        {"title": "a\0b"},
        {"title": "\ud800"},
        {"tags": None},
        {"tags": [""]},
        {"tags": ["x" * 51]},
        {"tags": [f"{at}" for at in range(21)]},
        {"details": None},
        {"details": {"x" * 51: 1}},
        {"details": {f"{at}": at for at in range(51)}},
        {"details": {"a": {"b": 1}}},
        {"details": {"a": [1]}},
        {"details": {"a": "x" * 1_001}},
        {"details": {"a": "\0"}},
        {"details": {"\0": 1}},
        {"details": {"a": "\udfff"}},
        {"details": {"a": float("nan")}},
        {"details": {"a": float("inf")}},
        {"name": "other.md"},
        {"id": NOBODY_S},
    ],
    ids=lambda values: f"{values!a:.40}",
)
def test_what_a_document_cannot_hold_is_refused(alice: Browser, values: dict[str, Any]) -> None:
    made = upload(alice, "rain")
    assert error_of(change(alice, made["id"], **values)) == (422, "InvalidPayload")
    assert read(alice, made["id"]) == made


def test_details_hold_as_much_as_they_may(alice: Browser) -> None:
    made = upload(alice, "rain")
    details = {f"{at:050}": "水" * 1_000 for at in range(50)}
    assert change(alice, made["id"], details=details).json()["details"] == details


def test_a_file_comes_back_as_it_was_sent_to_be_saved_and_not_to_be_shown(alice: Browser) -> None:
    page = b"<script>alert(1)</script>\r\n\0\xff"
    made = upload(alice, page, '水 "循环" 👩‍🔬.html')
    answer = alice.get(f"{DOCUMENTS}/{made['id']}/file")
    assert answer.content == page
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    disposition = answer.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename\*=utf-8''[%\w.-]+", disposition)
    assert alice.get(f"{DOCUMENTS}/{made['id']}/file", params={"version": 1}).content == page
    missing = alice.get(f"{DOCUMENTS}/{made['id']}/file", params={"version": 2})
    assert error_of(missing) == (404, "DocumentVersionNotFound")


def test_a_file_that_the_server_has_lost_is_said_to_be_gone(
    alice: Browser, settings: Settings
) -> None:
    made = upload(alice, "rain")
    next(settings.files_dir.rglob(made["newest"]["sha256"])).unlink()
    answer = alice.get(f"{DOCUMENTS}/{made['id']}/file")
    assert error_of(answer) == (410, "FileMissing")
    # Uploaded again it is there again.
    assert send(alice, "rain").status_code == 200
    assert alice.get(f"{DOCUMENTS}/{made['id']}/file").content == b"rain"


@pytest.mark.parametrize("person", [BOB, ROOT], ids=lambda person: person.login)
def test_a_stranger_gets_no_file_and_no_text(service: Service, tools: Tools, person: Any) -> None:
    alice, stranger = service.browser_of(ALICE), service.browser_of(person)
    made = upload(alice, "rain")["id"]
    documents.work(tools)
    for path in ("file", "file?version=1", "text", "versions", "events"):
        answer = stranger.get(f"{DOCUMENTS}/{made}/{path}")
        assert answer.status_code == 404
        assert answer.json() == stranger.get(f"{DOCUMENTS}/{NOBODY_S}/{path}").json()


def text(browser: Browser, document_id: str, **part: int) -> dict[str, Any]:
    answer = browser.get(f"{DOCUMENTS}/{document_id}/text", params=part)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


EMOJI = "\n\n## 🌧 Emoji\n\n👩‍👩‍👧‍👦 𠮷野家 e\u0301 "
MIXED = WATER + BACKUPS + EMOJI + "rain 雨 " * 200 + "\n"


def test_the_text_has_every_passage_at_its_place_and_white_space_between(
    alice: Browser, tools: Tools
) -> None:
    made = upload(alice, MIXED)["id"]
    documents.work(tools)
    whole = text(alice, made, length=100_000)
    assert whole["characters"] == whole["end"] == len(whole["text"])
    hits = search(alice, "rain 雨", mode="semantic", limit=50)["hits"]
    hits += search(alice, "restore the backup", mode="semantic", limit=50)["hits"]
    assert {one["ordinal"] for one in hits} == set(range(max(one["ordinal"] for one in hits) + 1))
    covered = [" "] * whole["characters"]
    for hit in hits:
        assert whole["text"][hit["start"] : hit["end"]] == hit["content"]
        covered[hit["start"] : hit["end"]] = hit["content"]
    assert "".join(covered) == whole["text"]
    # The file's own text, but for white space and what looks the same.
    written = re.sub(r"[#\s]+", "", unicodedata.normalize("NFC", MIXED))
    assert re.sub(r"[#\s]+", "", whole["text"]) == written


def test_parts_of_a_text_are_the_whole_in_the_end(alice: Browser, tools: Tools) -> None:
    made = upload(alice, MIXED)["id"]
    documents.work(tools)
    whole = text(alice, made, length=100_000)
    for length in (1, 97, 1_000):
        starts = range(0, whole["characters"], length)
        if length == 1:
            # Around the characters beyond 16 bits.
            first = whole["text"].index("👩")
            starts = range(first - 2, first + 20)
        for start in starts:
            part = text(alice, made, start=start, length=length)
            assert part["text"] == whole["text"][start : start + length]
            assert (part["start"], part["end"]) == (start, start + len(part["text"]))
    beyond = text(alice, made, start=2**31 - 1)
    assert (beyond["text"], beyond["start"]) == ("", whole["characters"])


def test_there_is_no_text_before_a_version_is_ready(alice: Browser, tools: Tools) -> None:
    made = upload(alice, "rain")["id"]
    answer = alice.get(f"{DOCUMENTS}/{made}/text")
    assert error_of(answer) == (404, "DocumentVersionNotFound")
    documents.work(tools)
    assert text(alice, made)["text"] == "rain"
    replace(alice, made, "snow")
    assert (text(alice, made)["text"], text(alice, made)["version"]) == ("rain", 1)
    documents.work(tools)
    assert (text(alice, made)["text"], text(alice, made)["version"]) == ("snow", 2)
