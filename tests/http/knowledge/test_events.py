"""The progress of documents as server-sent events, over real connections."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from app.knowledge import events
from app.knowledge.tools import Tools
from app.settings import Settings
from tests import commands, documents
from tests.http.browsers import Browser, Service, listening
from tests.http.uploads import DOCUMENTS, replace, upload
from tests.people import ALICE

Event = tuple[str, Any]


class Watcher:
    """A client that reads one event after the other."""

    def __init__(self, answered: httpx.Response) -> None:
        self.answered = answered
        self._lines = answered.iter_lines()

    def next(self) -> Event | None:
        """The next event; None at the end of the stream."""
        name, data = "", ""
        for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = line.removeprefix("data: ")
            elif not line and name:
                return name, json.loads(data) if name == "document" else data
        return None

    def rest(self) -> list[Event]:
        return list(iter(self.next, None))


@pytest.fixture
def address(service: Service, settings: Settings) -> Iterator[str]:
    assert service
    with listening(settings) as url:
        yield url


@contextmanager
def watching(address: str, browser: Browser, document_id: str) -> Iterator[Watcher]:
    cookies = {name: str(browser.cookies[name]) for name in browser.cookies}
    with (
        httpx.Client(base_url=address, cookies=cookies, trust_env=False, timeout=90) as client,
        client.stream("GET", f"{DOCUMENTS}/{document_id}/events") as answered,
    ):
        yield Watcher(answered)


def state(event: Event | None) -> str:
    assert event is not None
    name, document = event
    assert name == "document"
    found: str = document["newest"]["state"]
    return found


def test_progress_comes_until_the_document_is_ready(
    alice: Browser, tools: Tools, address: str
) -> None:
    made = upload(alice, "rain")
    with watching(address, alice, made["id"]) as watcher:
        assert watcher.answered.status_code == 200
        assert watcher.answered.headers["content-type"].startswith("text/event-stream")
        assert watcher.answered.headers["cache-control"] == "no-store"
        assert watcher.next() == ("document", made)
        documents.work(tools)
        told = watcher.rest()
    assert state(told[-1]) == "ready"
    assert told[-1][1] == alice.get(f"{DOCUMENTS}/{made['id']}").json()
    # Each is another one than that before.
    assert all(one != other for one, other in pairwise(told))


def test_of_what_is_over_there_is_one_event(alice: Browser, tools: Tools, address: str) -> None:
    made = upload(alice, "rain")["id"]
    documents.work(tools)
    with watching(address, alice, made) as watcher:
        (only,) = watcher.rest()
    assert state(only) == "ready"
    replace(alice, made, "snow")
    with watching(address, alice, made) as watcher:
        assert state(watcher.next()) == "queued"
        assert alice.post(f"{DOCUMENTS}/{made}/cancel").is_success
        assert state(watcher.rest()[-1]) == "cancelled"


def test_the_stream_of_a_deleted_document_ends(alice: Browser, address: str) -> None:
    made = upload(alice, "rain")["id"]
    with watching(address, alice, made) as watcher:
        assert state(watcher.next()) == "queued"
        assert alice.delete(f"{DOCUMENTS}/{made}").status_code == 204
        assert watcher.rest() == [("error", "DocumentNotFound")]


def test_a_stranger_watches_nothing(alice: Browser, bob: Browser, address: str) -> None:
    made = upload(alice, "rain")["id"]
    with watching(address, bob, made) as watcher:
        assert watcher.answered.status_code == 404
        assert watcher.answered.read()


def test_too_many_watchers_are_refused_and_places_come_back(
    service: Service,
    alice: Browser,
    address: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert address
    monkeypatch.setattr(events.Watchers.__init__, "__defaults__", (2,))
    made = upload(alice, "rain")["id"]
    with listening(settings) as narrow:
        # Each time those before have gone in the middle.
        for _ in range(3):
            with watching(narrow, alice, made) as one, watching(narrow, alice, made) as other:
                assert state(one.next()) == state(other.next()) == "queued"
                with watching(narrow, alice, made) as refused:
                    assert refused.answered.status_code == 503
                    assert json.loads(refused.answered.read())["error"] == "TooManyWatchers"
                    assert refused.answered.headers["retry-after"]
            commands.wait_until(lambda: is_let_in(narrow, alice, made), "there is a place again")
    assert service


def is_let_in(address: str, browser: Browser, document_id: str) -> bool:
    """Whether two can watch at once."""
    with (
        watching(address, browser, document_id) as one,
        watching(address, browser, document_id) as other,
    ):
        return {one.answered.status_code, other.answered.status_code} == {200}


def test_a_stream_that_goes_on_for_long_ends_and_shows_signs_of_life(
    service: Service, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(events, "SIGN_OF_LIFE_S", 0.02)
    monkeypatch.setattr(events, "LONGEST_S", 1.0)
    made = upload(alice, "rain")["id"]
    # This browser gets an answer when it is complete.
    text = alice.get(f"{DOCUMENTS}/{made}/events").text
    assert text.count("event: document") == 1
    assert ": still here\n\n" in text
    assert service


def test_streams_end_when_the_server_is_asked_to_stop(service: Service) -> None:
    alice = service.browser_of(ALICE)
    made = upload(alice, "rain")["id"]
    service.app.state.stopping.set()
    text = alice.get(f"{DOCUMENTS}/{made}/events").text
    assert text.count("event: document") == 1
