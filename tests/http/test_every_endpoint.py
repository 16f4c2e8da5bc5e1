"""What every endpoint refuses, for each operation of the OpenAPI document: a new one is in it.

Who may do what under /api/admin in detail is in test_admin_access.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.auth.key_schemas import SCOPES
from app.cache.limits import Rule
from app.http import limiting
from app.main import create_app
from app.settings import Settings
from tests import documents
from tests.http.browsers import Browser, Service, serving
from tests.http.test_api_keys import bearer
from tests.http.test_api_keys import make as make_key
from tests.http.test_diagram_changes import picture
from tests.http.test_diagram_versions import rename
from tests.http.test_diagrams import ANY, MAP, save
from tests.http.test_openapi import OPEN
from tests.http.uploads import upload
from tests.people import ALICE, ROOT, Person

DOCUMENT = create_app(Settings(environment="test")).openapi()
# What names something, where nobody looks whether it is there.
SOMETHING = {
    "diagram_id": "x",
    "document_id": "0",
    "key_id": 1,
    "number": 1,
    "organization_id": 1,
    "search_id": 1,
    "session_id": "x",
    "user_id": 1,
    "version": 1,
}
# What is asked of knowledge changes none of it, whatever the method.
ASKING = {"/api/knowledge/answers", "/api/knowledge/history/{search_id}/feedback"}
ASKING |= {"/api/knowledge/search"}
FORM = "multipart/form-data"
Parts = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    described: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def of_admins(self) -> bool:
        return self.path.startswith("/api/admin/")

    @property
    def scope(self) -> str | None:
        """What a key must be good for; None where no key will do."""
        if self.path.startswith("/api/diagrams"):
            return "diagrams:read" if self.method == "GET" else "diagrams:write"
        if self.path.startswith("/api/usage"):
            return "usage:read" if self.method == "GET" else "usage:write"
        if self.path.startswith("/api/knowledge"):
            reads = self.method == "GET" or self.path in ASKING
            return "knowledge:read" if reads else "knowledge:write"
        return None

    @property
    def takes(self) -> set[str]:
        """The media types of its body."""
        return set(self.described.get("requestBody", {}).get("content", {}))

    @property
    def caller(self) -> Person:
        """Somebody who may call it."""
        return ROOT if self.of_admins else ALICE

    def parameters(self, place: str) -> dict[str, dict[str, Any]]:
        """The schemas of its parameters in this place, by their names."""
        given = self.described.get("parameters", [])
        return {one["name"]: one["schema"] for one in given if one["in"] == place}

    def call(
        self, browser: Browser, names: Parts | None = None, *, headers: Any = None, **more: Any
    ) -> httpx.Response:
        path = self.path.format_map(SOMETHING | (names or {}))
        matching = ANY if "if-match" in self.parameters("header") else {}
        return browser.request(self.method, path, headers=matching | (headers or {}), **more)


OPERATIONS = [
    Operation(method.upper(), path, described)
    for path, methods in DOCUMENT["paths"].items()
    if path.startswith("/api/")
    for method, described in methods.items()
]
CLOSED = [one for one in OPERATIONS if str(one) not in OPEN]
OF_ADMINS = [one for one in OPERATIONS if one.of_admins]
FOR_KEYS = [one for one in CLOSED if one.scope]
# Those that name something that belongs to somebody.
OWNED = [one for one in OPERATIONS if one.parameters("path") and not one.of_admins]

# These are refused before the endpoint does its work, so one engine tells as much as two.
on_one_engine = pytest.mark.parametrize("backend", ["postgresql"])


def outcome(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_all_operations_are_found() -> None:
    assert len(OPERATIONS) > 70
    assert len(CLOSED) == len(OPERATIONS) - len(OPEN) > 65
    assert len(OF_ADMINS) >= 16
    assert len(FOR_KEYS) >= 39
    assert len(OWNED) >= 28


@on_one_engine
@pytest.mark.parametrize("operation", CLOSED, ids=str)
def test_nobody_gets_in_without_a_login(anybody: Browser, operation: Operation) -> None:
    assert outcome(operation.call(anybody)) == (401, "NotLoggedIn")


@on_one_engine
@pytest.mark.parametrize("operation", OF_ADMINS, ids=str)
def test_an_ordinary_user_administrates_nothing(alice: Browser, operation: Operation) -> None:
    status, error = outcome(operation.call(alice))
    assert status == 403
    assert error in {"NotAnAdministrator", "NotAManager"}


@on_one_engine
@pytest.mark.parametrize("operation", CLOSED, ids=str)
def test_a_key_without_the_scope_is_refused(
    service: Service, anybody: Browser, operation: Operation
) -> None:
    # The administrator's, so that nothing else is missing.
    others = [one for one in SCOPES if one != operation.scope]
    key = make_key(service.browser_of(ROOT), scopes=others)["key"]
    answer = operation.call(anybody, headers=bearer(key))
    assert outcome(answer) == (403, "ScopeMissing")
    assert operation.scope is None or operation.scope in answer.json()["detail"]


@on_one_engine
@pytest.mark.parametrize("operation", FOR_KEYS, ids=str)
def test_a_key_with_the_scope_alone_gets_in(
    alice: Browser, anybody: Browser, operation: Operation
) -> None:
    key = make_key(alice, scopes=[operation.scope])["key"]
    assert operation.call(anybody, headers=bearer(key)).status_code in {200, 204, 400, 404, 422}


@pytest.fixture
def once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service where everybody, and every address, has one request."""
    for name in ("ACCOUNT", "ADDRESS", "ANONYMOUS"):
        monkeypatch.setattr(limiting, name, Rule(name.lower(), 1, 3_600))
    with serving(settings.model_copy(update={"rate_limits": True})) as service:
        yield service


@on_one_engine
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_one_request_too_many_is_refused(once: Service, operation: Operation) -> None:
    def call() -> httpx.Response:
        # Some operations end the session.
        is_open = str(operation) in OPEN
        return operation.call(once.browser() if is_open else once.browser_of(ALICE))

    first, second = call(), call()
    assert first.status_code != 429
    assert ";r=0;" in first.headers["ratelimit"]
    assert outcome(second) == (429, "RateLimited")
    assert 3_000 < int(second.headers["retry-after"]) <= 3_600
    assert ";r=0;" in second.headers["ratelimit"]
    policy = second.headers["ratelimit-policy"]
    assert ";q=1;w=3600" in policy
    assert ('"account"' in policy) == (operation in CLOSED)


def wrong(schema: dict[str, Any]) -> str | None:
    """What can't be a value of this schema; None when any text can."""
    choices = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    (only,) = choices
    if "enum" in only or only["type"] in {"boolean", "integer"} or "format" in only:
        return "nonsense"
    if "pattern" in only:
        return "!"
    return "x" * (only["maxLength"] + 1) if "maxLength" in only else None


def broken(operation: Operation) -> Iterator[tuple[list[str], Parts]]:
    """Each part that can be malformed, with a request in which it is."""
    for place, argument in (("path", "names"), ("query", "params"), ("header", "headers")):
        for name, schema in operation.parameters(place).items():
            value = wrong(schema)
            assert value is not None, (operation, name)
            yield [place, name], {argument: {name: value}}
    if FORM in operation.takes:
        yield ["body", "title"], {"data": {"title": "x" * 301}}
        yield ["body", "tags"], {"data": {"tags": "x" * 51}}
    elif operation.takes:
        json = {"content-type": "application/json"}
        yield ["body"], {"content": '{"a": ', "headers": json}
        yield ["body"], {"content": "[1]", "headers": json}
        yield ["body"], {"content": '"text"', "headers": json}


# Operations of which nothing can be malformed, and why.
UNBREAKABLE = {
    "POST /api/auth/logout": "the cookie alone, which may be any text",
    "POST /api/auth/logout-everywhere": "takes nothing",
    "GET /api/auth/sessions": "takes nothing",
    "GET /api/auth/me": "takes nothing",
    "GET /api/keys": "takes nothing",
    "DELETE /api/diagrams/trash": "takes nothing",
    "GET /api/diagrams/export": "takes nothing",
    "GET /api/admin/status": "takes nothing",
    "GET /api/knowledge": "takes nothing",
    "DELETE /api/knowledge/history": "takes nothing",
}
BREAKABLE = [one for one in OPERATIONS if str(one) not in UNBREAKABLE]


def test_what_can_be_malformed_is_known() -> None:
    takes_nothing = {str(one) for one in OPERATIONS if not list(broken(one))}
    assert takes_nothing == UNBREAKABLE.keys()


@on_one_engine
@pytest.mark.parametrize("operation", BREAKABLE, ids=str)
def test_what_is_malformed_is_refused(service: Service, operation: Operation) -> None:
    browser = service.browser_of(operation.caller)
    parts = list(broken(operation))
    assert parts
    for where, options in parts:
        form = {"files": {"file": ("a.txt", b"a")}} if FORM in operation.takes else {}
        answer = operation.call(browser, **form, **options)
        assert outcome(answer) == (422, "InvalidPayload"), (where, answer.text)
        named = [problem["where"][: len(where)] for problem in answer.json()["detail"]]
        assert where in named


PAYLOADS: dict[str, Parts] = {
    "PUT /api/diagrams/{diagram_id}": {"json": MAP},
    "PATCH /api/diagrams/{diagram_id}": {"json": {"title": "mine"}},
    "PATCH /api/keys/{key_id}": {"json": {"name": "mine"}},
    "PATCH /api/knowledge/documents/{document_id}": {"json": {"title": "mine"}},
    "PUT /api/knowledge/documents/{document_id}/file": {"files": {"file": ("a.txt", b"another")}},
    "PUT /api/knowledge/history/{search_id}/feedback": {"json": {"useful": True}},
}
OF_THE_TRASH = ("/{diagram_id}/restore", "/{diagram_id}/purge")
NOBODY_S = {
    "diagram_id": "nobody-s",
    "document_id": "00000000-0000-0000-0000-000000000000",
    "key_id": 4711,
    "search_id": 4711,
    "session_id": "nobody-s",
}


def knowledge(service: Service, alice: Browser, *, on_its_way: bool) -> Parts:
    """A document that is found, with a later version that is on its way or was; and a search."""
    with documents.tools(service.settings) as tools:
        made = upload(alice, "rain falls")["id"]
        documents.work(tools)
    path = f"/api/knowledge/documents/{made}"
    assert alice.put(f"{path}/file", files={"file": ("b.md", b"snow falls")}).is_success
    if not on_its_way:
        assert alice.post(f"{path}/cancel").is_success
    asked = {"query": "rain", "mode": "keyword"}
    search = alice.post("/api/knowledge/search", json=asked).json()["id"]
    return {"document_id": made, "number": 1, "search_id": search}


def belongings(service: Service, alice: Browser, *, in_trash: bool) -> Parts:
    """One of each thing that alice can have. The diagram has an earlier version and a thumbnail."""
    diagram = save(alice, thumbnail=picture())
    rename(alice, diagram, "new")
    if in_trash:
        assert alice.delete(f"/api/diagrams/{diagram}").status_code == 204
    service.browser_of(ALICE)
    sessions = alice.get("/api/auth/sessions").json()
    return {
        "diagram_id": diagram,
        "key_id": make_key(alice)["id"],
        "session_id": next(one["id"] for one in sessions if not one["current"]),
        "version": 1,
    }


@pytest.mark.parametrize("operation", OWNED, ids=str)
def test_to_a_stranger_it_is_not_there(
    service: Service, alice: Browser, bob: Browser, operation: Operation
) -> None:
    if operation.path.startswith("/api/knowledge"):
        names = knowledge(service, alice, on_its_way=operation.path.endswith("/cancel"))
    else:
        names = belongings(service, alice, in_trash=operation.path.endswith(OF_THE_TRASH))
    options = PAYLOADS.get(str(operation), {})
    answer = operation.call(bob, names, **options)
    assert answer.status_code == 404, answer.text
    # Nothing tells bob that somebody else has it.
    assert answer.json() == operation.call(bob, NOBODY_S, **options).json()
    # It is there, and the stranger has not touched it.
    assert operation.call(alice, names, **options).is_success
