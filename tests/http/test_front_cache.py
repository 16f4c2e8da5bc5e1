"""What is answered before the router sees it: the same as the router's answer, and for less."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio.to_thread
import pytest
import redis.asyncio.connection
import redis.connection

from app.cache import keys
from app.cache.limits import Rule
from app.http import limiting
from app.settings import Settings
from tests.databases import Backend
from tests.http.browsers import Browser, Service, serving
from tests.http.test_admin_organizations import OWN
from tests.http.test_api_keys import bearer
from tests.http.test_api_keys import make as make_key
from tests.http.test_diagrams import ANY, MAP, save
from tests.people import ALICE


@contextmanager
def costs(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Counts what the requests of the block cost: round trips to Redis, statements, threads."""
    found = {"redis": 0, "statements": 0, "threads": 0}

    def counted(of: Any, name: str, what: str) -> None:
        plain = getattr(of, name)

        def count(*arguments: Any, **options: Any) -> Any:
            found[what] += 1
            return plain(*arguments, **options)

        patch.setattr(of, name, count)

    with monkeypatch.context() as patch, service.statements() as statements:
        counted(redis.connection.AbstractConnection, "send_packed_command", "redis")
        counted(redis.asyncio.connection.AbstractConnection, "send_packed_command", "redis")
        counted(anyio.to_thread, "run_sync", "threads")
        yield found
        found["statements"] = len(statements)


def cached(browser: Browser) -> str:
    """The path of a diagram of which there is a copy now."""
    path = f"/api/diagrams/{save(browser)}"
    assert browser.get(path).status_code == 200
    return path


def test_it_says_what_the_router_says(alice: Browser) -> None:
    path = f"/api/diagrams/{save(alice)}"
    of_router, of_front = alice.get(path), alice.get(path)
    assert of_front.content == of_router.content
    for answer in (of_router, of_front):
        assert answer.headers.pop("x-request-id")
    assert of_front.headers == of_router.headers
    tag = of_front.headers["etag"]
    unchanged = alice.get(path, headers={"if-none-match": tag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == tag


@pytest.mark.parametrize(
    "query", ["", "?limit=1", "?limit=2", "?limit=3", "?limit=50", "?limit=51", "?limit=100"]
)
def test_a_list_says_what_the_router_says(alice: Browser, query: str) -> None:
    for _ in range(3):
        save(alice)
    path = f"/api/diagrams{query}"
    # With another parameter nobody but the router answers.
    of_router = alice.get(f"{path}{'&' if query else '?'}cursor=")
    assert of_router.status_code == 200
    first, of_front = alice.get(path), alice.get(path)
    assert first.content == of_front.content == of_router.content
    assert of_front.headers["content-type"] == of_router.headers["content-type"]


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=-1", "?limit=101", "?limit=x", "?limit=1&limit=x"]
)
def test_a_wrong_limit_is_refused_by_the_router(alice: Browser, query: str) -> None:
    save(alice)
    alice.get("/api/diagrams")
    answer = alice.get(f"/api/diagrams{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")


@pytest.mark.parametrize("path", ["/api/diagrams", "/api/diagrams?limit=5", ""])
@pytest.mark.parametrize("rate_limits", [True, False])
def test_it_takes_one_round_trip_and_no_thread(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, path: str, rate_limits: bool
) -> None:
    with serving(settings.model_copy(update={"rate_limits": rate_limits})) as service:
        alice = service.browser_of(ALICE)
        path = path or cached(alice)
        # The first may find no copy, and lets Redis know the script.
        for _ in range(2):
            alice.get(path)
        with costs(service, monkeypatch) as found:
            assert alice.get(path).status_code == 200
    assert found == {"redis": 1, "statements": 0, "threads": 0}


def test_who_is_asking_takes_one_round_trip_everywhere(
    service: Service, alice: Browser, monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    alice.get("/api/auth/me")
    with costs(service, monkeypatch) as found:
        assert alice.get("/api/auth/me").status_code == 200
    assert found == {"redis": 1, "statements": 0, "threads": 0}
    with costs(service, monkeypatch) as found:
        assert alice.post("/api/diagrams", json=MAP).status_code == 201
    # Two for the list, of which there is no copy while it changes. The handler is the one thread.
    statements = 4 if backend == "postgresql" else 5
    assert found == {"redis": 3, "statements": statements, "threads": 1}


def test_nobody_else_reads_it(alice: Browser, bob: Browser, anybody: Browser) -> None:
    path = cached(alice)
    assert bob.get(path).status_code == 404
    assert anybody.get(path).status_code == 401
    anybody.cookies.set("mindgraph_session", f"{ALICE.id}.{'x' * 43}", domain="mindgraph.test")
    assert anybody.get(path).status_code == 401


def test_a_session_that_was_ended_reads_nothing(alice: Browser) -> None:
    path = cached(alice)
    token = alice.cookies["mindgraph_session"]
    assert alice.post("/api/auth/logout").status_code == 204
    alice.cookies.set("mindgraph_session", token, domain="mindgraph.test", path="/")
    assert alice.get(path).status_code == 401


def test_a_session_from_before_a_new_password_reads_nothing(
    service: Service, alice: Browser
) -> None:
    path = cached(alice)
    store = service.app.state.redis
    key = keys.user(ALICE.id)
    copy = store.get(key)
    assert b'"session_epoch":0' in copy
    store.set(key, copy.replace(b'"session_epoch":0', b'"session_epoch":1'), keepttl=True)
    assert alice.get(path).status_code == 401


def test_members_of_a_closed_organization_read_nothing(alice: Browser, root: Browser) -> None:
    path = cached(alice)
    closing = root.patch(f"/api/admin/organizations/{OWN}", json={"is_active": False})
    assert closing.status_code == 200
    answer = alice.get(path)
    assert (answer.status_code, answer.json()["error"]) == (403, "OrganizationClosed")


def test_what_was_changed_or_deleted_is_so_at_once(alice: Browser) -> None:
    path = cached(alice)
    changed = alice.patch(path, json={"title": "new"}, headers=ANY)
    assert alice.get(path).json()["title"] == "new"
    assert alice.get(path).headers["etag"] == changed.headers["etag"]
    assert alice.delete(path).status_code == 204
    assert alice.get(path).status_code == 404


@pytest.mark.parametrize("copy", ["", "{}", '{"id": 7}', "no JSON"])
def test_a_copy_of_another_shape_is_none(service: Service, alice: Browser, copy: str) -> None:
    path = cached(alice)
    store = service.app.state.redis
    key = keys.diagram(ALICE.id, path.rpartition("/")[2])
    made, _, _ = store.get(key).partition(b" ")
    store.set(key, made + b" " + copy.encode(), keepttl=True)
    assert alice.get(path).json()["title"] == MAP["title"]


def test_a_key_is_asked_for_what_it_may(alice: Browser, anybody: Browser) -> None:
    path = cached(alice)
    key = make_key(alice, scopes=["knowledge:read"])["key"]
    answer = anybody.get(path, headers=bearer(key))
    assert (answer.status_code, answer.json()["error"]) == (403, "ScopeMissing")


def test_each_read_is_counted_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "ACCOUNT", Rule("account", 4, 3_600))
    with serving(settings.model_copy(update={"rate_limits": True})) as service:
        alice = service.browser_of(ALICE)
        path = f"/api/diagrams/{save(alice)}"
        answers = [alice.get(path) for _ in range(4)]
    left = [answer.headers["ratelimit"].split(";t=")[0] for answer in answers]
    assert left == [f'"account";r={number}' for number in (2, 1, 0, 0)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["error"] == "RateLimited"


def test_a_read_lets_the_session_live_on(service: Service, alice: Browser) -> None:
    path = cached(alice)
    store = service.app.state.redis
    [session] = store.keys(keys.SESSIONS)
    store.expire(session, 60)
    assert alice.get(path).status_code == 200
    assert store.ttl(session) > 60


def test_its_connections_end_with_the_service(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    connect: Any = redis.asyncio.connection.AbstractConnection.connect

    async def note(connection: Any) -> None:
        made.append(connection)
        await connect(connection)

    monkeypatch.setattr(redis.asyncio.connection.AbstractConnection, "connect", note)
    with serving(settings) as service:
        assert service.browser_of(ALICE).get("/api/auth/me").status_code == 200
        assert [one.is_connected for one in {*made}] == [True]
    assert [one.is_connected for one in {*made}] == [False]
