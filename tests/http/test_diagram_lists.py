import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.cache import keys
from app.db.session import Database
from app.diagrams.models import Diagram
from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.http.test_diagrams import ANY, MAP, save, titles
from tests.people import ALICE, PASSWORD


@pytest.fixture
def many(database: Database) -> list[str]:
    """45 diagrams of alice, three of a moment each; their ids, as the list shall show them."""
    start = clock.now()
    made = [
        Diagram(
            **MAP | {"title": f"number {at}"},
            id=f"{at * 7919 % 1000:036}",
            user_id=ALICE.id,
            created_at=start,
            updated_at=start - timedelta(microseconds=at // 3),
        )
        for at in range(45)
    ]
    expected = sorted(made, key=lambda one: (one.updated_at, one.id), reverse=True)
    with database.begin() as session:
        session.add_all(made)
    return [one.id for one in expected]


def page_through(browser: Browser, limit: int) -> list[dict[str, Any]]:
    pages = [browser.get("/api/diagrams", params={"limit": limit}).json()]
    while pages[-1]["next_cursor"]:
        params = {"limit": limit, "cursor": pages[-1]["next_cursor"]}
        pages.append(browser.get("/api/diagrams", params=params).json())
    return pages


@pytest.mark.parametrize("limit", [1, 7, 45, 100])
def test_the_pages_have_every_diagram_once_and_in_order(
    alice: Browser, many: list[str], limit: int
) -> None:
    for _ in ("from the database", "from the cache"):
        pages = page_through(alice, limit)
        assert [item["id"] for page in pages for item in page["items"]] == many
        assert len(pages) == -(-45 // limit)


def test_paging_goes_on_while_others_come_and_go(alice: Browser, many: list[str]) -> None:
    first = alice.get("/api/diagrams", params={"limit": 20}).json()
    alice.delete(f"/api/diagrams/{many[3]}")
    new = save(alice, title="new")
    second = alice.get("/api/diagrams", params={"limit": 20, "cursor": first["next_cursor"]})
    assert [item["id"] for item in second.json()["items"]] == many[20:40]
    assert alice.get("/api/diagrams").json()["items"][0]["id"] == new


def test_a_page_has_20_without_asking_and_no_specs(alice: Browser, many: list[str]) -> None:
    page = alice.get("/api/diagrams").json()
    assert [item["id"] for item in page["items"]] == many[:20]
    assert {name for item in page["items"] for name in item} == {
        "id",
        "title",
        "diagram_type",
        "language",
        "is_pinned",
        "version",
        "has_thumbnail",
        "created_at",
        "updated_at",
    }


def test_an_empty_list_is_a_page_without_a_next_one(alice: Browser) -> None:
    assert alice.get("/api/diagrams").json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", ""])
def test_a_limit_out_of_range_is_refused(alice: Browser, limit: str) -> None:
    answer = alice.get("/api/diagrams", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["where"] == ["query", "limit"]


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "é",
        "AAAA",
        cursor_of(1),
        cursor_of([]),
        cursor_of(["2025-01-01T00:00:00+00:00", "a"]),
        cursor_of([0, "2025-01-01T00:00:00+00:00", "a"]),
        cursor_of([False, "2025-01-01T00:00:00", "naive"]),
        cursor_of([False, "yesterday", "a"]),
        cursor_of([False, "2025-01-01T00:00:00+00:00", 5]),
        cursor_of([False, "2025-01-01T00:00:00+00:00", "nul\x00"]),
        cursor_of([False, "2025-01-01T00:00:00+00:00", "\ud800"]),
        cursor_of([False, "0001-01-01T00:00:00+23:59", "a"]),
        cursor_of([False, "9999-12-31T23:59:59-23:59", "a"]),
    ],
)
def test_a_cursor_of_somebody_else_is_refused(alice: Browser, cursor: str) -> None:
    answer = alice.get("/api/diagrams", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidCursor")


@pytest.mark.usefixtures("many")
def test_a_cursor_of_another_person_shows_only_ones_own(alice: Browser, bob: Browser) -> None:
    cursor = alice.get("/api/diagrams", params={"limit": 3}).json()["next_cursor"]
    assert bob.get("/api/diagrams", params={"cursor": cursor}).json()["items"] == []


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("limit", [2, 40])
def test_a_list_takes_three_queries_however_long_it_is(
    service: Service, alice: Browser, limit: int
) -> None:
    with service.statements() as seen:
        alice.get("/api/diagrams", params={"limit": limit})
    selects = [statement for statement in seen if statement.startswith("SELECT")]
    # The user, the organization, the page.
    assert len(selects) == 3, selects
    assert "spec" not in " ".join(seen)
    with service.statements() as seen:
        alice.get("/api/diagrams", params={"limit": limit})
    assert len([statement for statement in seen if "diagrams" in statement]) == 0


@pytest.mark.parametrize("action", ["create", "replace", "delete"])
def test_a_write_is_seen_by_the_next_list(alice: Browser, action: str) -> None:
    made = save(alice, title="old")
    assert titles(alice) == ["old"]
    if action == "create":
        save(alice, title="new")
        assert titles(alice) == ["new", "old"]
    elif action == "replace":
        alice.put(f"/api/diagrams/{made}", json=MAP | {"title": "new"}, headers=ANY)
        assert titles(alice) == ["new"]
    else:
        alice.delete(f"/api/diagrams/{made}")
        assert titles(alice) == []


def test_a_page_comes_from_the_cache_until_then(service: Service, alice: Browser) -> None:
    made = save(alice, title="cached")
    assert titles(alice) == ["cached"]
    with service.app.state.database.begin() as session:
        session.connection().exec_driver_sql(f"DELETE FROM diagrams WHERE id = '{made}'")
    assert titles(alice) == ["cached"]


def test_the_cache_of_one_person_is_not_touched_by_another(
    service: Service, alice: Browser, bob: Browser
) -> None:
    save(alice)
    titles(alice)
    copied = service.app.state.redis.get(keys.diagram_list(ALICE.id))
    assert copied
    save(bob)
    assert service.app.state.redis.get(keys.diagram_list(ALICE.id)) == copied
    save(alice)
    assert service.app.state.redis.get(keys.diagram_list(ALICE.id)) is None


def test_without_redis_nobody_gets_in_and_the_answer_says_why(
    settings: Settings, closed_port: int
) -> None:
    with serving(settings.model_copy(update={"redis_port": closed_port})) as service:
        browser = service.browser()
        login = {"login": ALICE.login, "password": PASSWORD}
        browser.cookies.set("mindgraph_session", "1." + "x" * 43)
        for answer in (
            browser.get("/api/diagrams"),
            browser.post("/api/auth/login", json=login),
            browser.post("/api/auth/logout"),
        ):
            assert (answer.status_code, answer.json()["error"]) == (503, "RedisUnavailable")
            assert answer.headers["retry-after"] == "2"
