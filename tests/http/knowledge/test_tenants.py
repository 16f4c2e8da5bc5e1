"""Nobody is shown anything of somebody else, whatever both do and however they ask."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import hypothesis
import pytest
from hypothesis import strategies
from qdrant_client import models as qdrant
from sqlalchemy import Select

from app.knowledge import indexes, search_queries
from app.knowledge.models import Chunk, Document, Version
from app.knowledge.tools import Tools
from app.vectors import points, sparse
from app.vectors.points import Asked
from tests import documents
from tests.http.browsers import Browser, Service
from tests.http.uploads import DOCUMENTS, read, replace, search, send, upload
from tests.people import ALICE, BOB, Person

# Both have the same texts, so that only ids and names tell whose a passage is.
TEXTS = (
    "# 水\n\n海水蒸发成云。Rain falls from clouds.\n",
    "# Restore\n\nStop the server and unpack the newest copy.\n",
    "# 红楼梦\n\n贾宝玉和林黛玉。The stone and the flower.\n",
)
# Each fits every text.
QUERY = "rain 蒸发 restore copy 贾宝玉 stone"
TAGS = ("zh", "en")
MODES = ("semantic", "keyword", "hybrid")

Verb = Literal["upload", "replace", "delete", "tag"]


@dataclass
class Tenant:
    """Somebody, and what they should have: the text of each document that serves."""

    person: Person
    browser: Browser
    texts: dict[str, int] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """The name of all files of this one."""
        return f"{self.person.login}.md"

    def do(self, verb: Verb, at: int) -> None:
        if verb == "upload":
            self._upload(at)
            return
        if not self.texts:
            return
        document = sorted(self.texts)[at % len(self.texts)]
        if verb == "replace":
            self._replace(document, at)
        elif verb == "tag":
            path = f"{DOCUMENTS}/{document}"
            assert self.browser.patch(path, json={"tags": [TAGS[at % 2]]}).is_success
        else:
            assert self.browser.delete(f"{DOCUMENTS}/{document}").status_code == 204
            del self.texts[document]

    def _upload(self, at: int) -> None:
        if at not in self.texts.values():
            self.texts[upload(self.browser, TEXTS[at], self.mark, tags=TAGS[at % 2])["id"]] = at

    def _replace(self, document: str, at: int) -> None:
        if at not in self.texts.values():
            replace(self.browser, document, TEXTS[at], self.mark)
            self.texts[document] = at

    def clear(self) -> None:
        for document in list(self.texts):
            assert self.browser.delete(f"{DOCUMENTS}/{document}").status_code == 204
        self.texts.clear()


Pair = tuple[Tenant, Tenant]


@pytest.fixture
def pair(service: Service) -> Pair:
    return (
        Tenant(ALICE, service.browser_of(ALICE)),
        Tenant(BOB, service.browser_of(BOB)),
    )


def answers_of(one: Tenant, other: Tenant) -> Iterator[list[dict[str, Any]]]:
    """The hits of every form of query."""
    filters: list[dict[str, Any]] = [{}, {"after": "2000-01-01T00:00:00Z"}]
    filters += [{"tag": tag} for tag in TAGS]
    filters += [{"document": document} for document in sorted({*one.texts, *other.texts})]
    for chosen in filters:
        for mode in MODES:
            yield search(one.browser, QUERY, mode=mode, limit=50, **chosen)["hits"]
    for stream in (False, True):
        payload = {"question": QUERY, "stream": stream}
        answer = one.browser.post("/api/knowledge/answers", json=payload)
        assert answer.status_code in {200, 404}, answer.text
        if answer.is_success and stream:
            event = next(part for part in answer.text.split("\n\n") if "event: hits" in part)
            yield json.loads(event.partition("data: ")[2])["hits"]
        elif answer.is_success:
            yield answer.json()["hits"]


def require_own(one: Tenant, other: Tenant) -> None:
    """Whatever `one` asks for, nothing of it is the other's."""
    for hits in answers_of(one, other):
        for hit in hits:
            assert hit["document_id"] in one.texts
            assert hit["name"] == one.mark
    listed = one.browser.get(DOCUMENTS, params={"limit": 100}).json()["items"]
    assert {item["id"] for item in listed} == one.texts.keys()
    assert one.browser.get("/api/knowledge").json()["documents"] == len(one.texts)
    history = one.browser.get("/api/knowledge/history", params={"limit": 100}).json()["items"]
    theirs = {hit["document_id"] for item in history for hit in item["hits"]}
    assert not theirs & other.texts.keys()
    for document in other.texts:
        require_closed(one.browser, document)


def require_closed(browser: Browser, document: str) -> None:
    path = f"{DOCUMENTS}/{document}"
    for below in ("", "/file", "/file?version=1", "/text", "/versions", "/events"):
        assert browser.get(f"{path}{below}").status_code == 404
    for below in ("/cancel", "/retry", "/versions/1/restore"):
        assert browser.post(f"{path}{below}").status_code == 404
    assert browser.patch(path, json={"tags": ["mine"]}).status_code == 404
    assert send(browser, "mine", into=document).status_code == 404
    assert browser.delete(path).status_code == 404


def require_found(one: Tenant) -> None:
    """What is one's own is found in every way: silence would keep secrets as well."""
    for mode in MODES:
        hits = search(one.browser, QUERY, mode=mode, limit=50)["hits"]
        assert {hit["document_id"] for hit in hits} == one.texts.keys()
        for hit in hits:
            assert hit["content"] in TEXTS[one.texts[hit["document_id"]]]
    for document in one.texts:
        assert read(one.browser, document)["newest"]["state"] == "ready"


ACTIONS = strategies.lists(
    strategies.tuples(
        strategies.sampled_from([0, 1]),
        strategies.sampled_from(["upload", "upload", "replace", "delete", "tag"]),
        strategies.integers(0, len(TEXTS) - 1),
    ),
    min_size=4,
    max_size=8,
)


def test_whatever_two_tenants_do_neither_is_shown_anything_of_the_other(
    pair: Pair, tools: Tools
) -> None:
    @hypothesis.settings(
        max_examples=4,
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(before=ACTIONS, after=ACTIONS)
    def live(before: list[tuple[int, Verb, int]], after: list[tuple[int, Verb, int]]) -> None:
        for who, verb, at in before:
            pair[who].do(verb, at)
        documents.work(tools)
        for one in pair:
            require_found(one)
        for who, verb, at in after:
            pair[who].do(verb, at)
        # While Qdrant still has what was, and before it gets what is.
        require_own(*pair)
        require_own(*pair[::-1])
        documents.work(tools)
        for one in pair:
            require_found(one)
        require_own(*pair)
        require_own(*pair[::-1])
        for one in pair:
            one.clear()

    live()


@pytest.fixture
def both(pair: Pair, tools: Tools) -> Pair:
    """Two who have the same."""
    for one in pair:
        for at in range(len(TEXTS)):
            one.do("upload", at)
    documents.work(tools)
    return pair


def any_owner(_user_id: int, documents: Any) -> qdrant.Filter:
    """The filter of a search as it would be without its owner."""
    if documents is None:
        return qdrant.Filter()
    match = qdrant.MatchAny(any=sorted(documents))
    return qdrant.Filter(must=[qdrant.FieldCondition(key="document_id", match=match)])


def of_anybody(statement: Select[Any], _user_id: int) -> Select[Any]:
    """The passages that the database would show without their owner."""
    return (
        statement.select_from(Chunk)
        .join(Version, Version.id == Chunk.version_id)
        .join(Document, Document.id == Version.document_id)
        .where(Version.state == "ready")
    )


def points_found(tools: Tools, user_id: int) -> int:
    collection = indexes.require_active(tools.database).collection
    asked = Asked(user_id=user_id, limit=50, sparse=sparse.of_query(QUERY))
    return len(points.search(tools.qdrant, collection, asked))


def test_where_qdrant_forgets_the_owner_the_database_does_not(
    both: Pair, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert points_found(tools, ALICE.id) == len(TEXTS)
    monkeypatch.setattr(points, "owned", any_owner)
    assert points_found(tools, ALICE.id) == 2 * len(TEXTS)
    require_own(*both)
    require_own(*both[::-1])


def test_where_the_database_forgets_the_owner_qdrant_does_not(
    both: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_queries, "_served", of_anybody)
    require_own(*both)
    require_own(*both[::-1])


def test_these_tests_would_notice_if_both_forgot(
    both: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(points, "owned", any_owner)
    monkeypatch.setattr(search_queries, "_served", of_anybody)
    with pytest.raises(AssertionError):
        require_own(*both)
