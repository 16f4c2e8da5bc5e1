"""Small documents of many kinds, each with a word of its own, and somebody who uploads them."""

from __future__ import annotations

import io
import secrets
import ssl
import time
from collections.abc import Callable
from typing import Any

import docx
import httpx

from tests import pdfs
from tests.stack.people import Person

PATIENCE_S = 900.0
# What an upload may be answered while something is down.
BUSY = {502, 503, 504}
TOPICS = (
    "The river carries sand from the mountains to the sea.",
    "Bakers let the dough rest for a night before it goes into the oven.",
    "月亮绕着地球转，地球绕着太阳转。",
    "A violin has four strings, and its bow is made of horsehair.",
    "图书馆每天早上九点开门，周一休息。",
)


class Paper:
    """A document that nobody else has, with a marker that no other one has."""

    def __init__(self, number: int) -> None:
        self.marker = f"zq{number}{secrets.token_hex(4)}"
        ending, make = KINDS[number % len(KINDS)]
        self.name = f"{self.marker}.{ending}"
        self.data = make(self.marker, TOPICS[number % len(TOPICS)])


def papers(count: int) -> list[Paper]:
    return [Paper(number) for number in range(count)]


def _markdown(marker: str, topic: str) -> bytes:
    return f"# About {marker}\n\n{topic}\n\n## More\n\nAgain: {topic}\n".encode()


def _text(marker: str, topic: str) -> bytes:
    return f"{marker}\n\n{topic}\n".encode()


def _html(marker: str, topic: str) -> bytes:
    return f"<!doctype html><title>{marker}</title><p>The {marker}.<p>{topic}".encode()


def _word(marker: str, topic: str) -> bytes:
    document = docx.Document()
    document.add_heading(f"About {marker}", 1)
    document.add_paragraph(topic)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _pdf(marker: str, _topic: str) -> bytes:
    lines = pdfs.text((72, 700, 18, f"About {marker}"), (72, 660, 11, TOPICS[0]))
    return pdfs.of_pages([lines])


KINDS: tuple[tuple[str, Callable[[str, str], bytes]], ...] = (
    ("md", _markdown),
    ("txt", _text),
    ("html", _html),
    ("docx", _word),
    ("pdf", _pdf),
)


class Reader:
    """Somebody with an API key, which needs no Redis, who tries again until it works."""

    def __init__(self, url: str, verify: ssl.SSLContext | bool = True) -> None:
        person = Person(url, verify)
        wanted = {"name": "reader", "scopes": ["knowledge:read", "knowledge:write"]}
        key = person.expect(201, "POST", "/api/keys", wanted)["key"]
        person.close()
        self.http = httpx.Client(
            base_url=f"{url}/api/knowledge",
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
            verify=verify,
        )
        self.ids: dict[str, str] = {}
        # How often it did not work at once.
        self.failures = 0

    def upload(self, paper: Paper) -> str:
        """The id of its document."""
        files = {"file": (paper.name, paper.data)}
        answer = self._insist(lambda: self.http.post("/documents", files=files))
        assert answer.status_code in (200, 201), answer.text
        self.ids[paper.name] = str(answer.json()["id"])
        return self.ids[paper.name]

    def delete(self, document_id: str) -> None:
        answer = self._insist(lambda: self.http.delete(f"/documents/{document_id}"))
        assert answer.status_code in (204, 404), answer.text

    def read(self, document_id: str) -> dict[str, Any]:
        return self._json(lambda: self.http.get(f"/documents/{document_id}"))

    def count(self, state: str) -> int:
        """How many documents are in a state."""
        return sum(one["newest"]["state"] == state for one in self.documents())

    def documents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query = "?limit=100"
        while True:
            page = self._json(lambda query=query: self.http.get(f"/documents{query}"))  # type: ignore[misc]
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            query = f"?limit=100&cursor={page['next_cursor']}"

    def states(self) -> set[str]:
        return {one["newest"]["state"] for one in self.documents()}

    def search(self, text: str, mode: str, document_id: str | None = None) -> httpx.Response:
        query = {"query": text, "mode": mode, "document": document_id}
        return self.http.post("/search", json=query)

    def finds(self, paper: Paper) -> bool:
        """Whether its word is found nowhere else, and its meaning as well."""
        by_word = self._found(self.search(paper.marker, "keyword"))
        # What a word means that nobody knows is near to much: it is looked for in this one alone.
        by_meaning = self._found(self.search(paper.marker, "semantic", self.ids[paper.name]))
        return by_word == by_meaning == {paper.name}

    def finds_nothing(self, paper: Paper) -> bool:
        return self._found(self.search(paper.marker, "keyword")) == set()

    def close(self) -> None:
        self.http.close()

    def _found(self, answer: httpx.Response) -> set[str]:
        """The names of the documents that were found, in the way that was asked for."""
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["degraded"] is None, body
        return {hit["name"] for hit in body["hits"]}

    def _json(self, ask: Callable[[], httpx.Response]) -> dict[str, Any]:
        answer = self._insist(ask)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def _insist(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = ask()
                if answer.status_code not in BUSY or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError:
                assert time.monotonic() < deadline
            self.failures += 1
            time.sleep(0.3)
