import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app import clock
from app.admin.models import AuditEvent
from app.db.session import Database
from tests.http.browsers import Browser, Service
from tests.http.test_admin_access import EMPTY, OTHER, OWN, ROUTES, Route
from tests.people import ALICE, BOB, CHARLIE, ROOT

PATH = "/api/admin/audit"
CHANGING = [route for route in ROUTES if route.method != "GET"]
ACTIONS = {
    "POST /organizations": "organization.create",
    "PATCH /organizations/{organization}": "organization.change",
    "DELETE /organizations/{organization}": "organization.delete",
    "POST /organizations/{organization}/invitation": "invitation.rotate",
    "DELETE /organizations/{organization}/invitation": "invitation.remove",
    "PATCH /users/{user}": "user.role",
    "POST /users/{user}/unlock": "user.unlock",
    "POST /users/{user}/password-reset": "user.password_reset",
    "POST /users/{user}/logout": "user.logout",
    "DELETE /users/{user}": "user.delete",
}


def events(browser: Browser, **params: Any) -> list[dict[str, Any]]:
    answer = browser.get(PATH, params={"limit": 100} | params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(AuditEvent)) or 0


@pytest.mark.parametrize("route", CHANGING, ids=str)
def test_what_changes_something_leaves_one_event(service: Service, route: Route) -> None:
    before = clock.now()
    browser = service.browser(peer="2001:db8::7")
    browser.cookies.update(service.browser_of(ROOT).cookies)
    answer = route.call(browser, user=CHARLIE.id, organization=EMPTY)
    assert answer.is_success
    (event,) = events(browser)
    kind = route.kind or "organization"
    made = answer.json()["id"] if str(route) == "POST /organizations" else None
    target = made or {"user": CHARLIE.id, "organization": EMPTY}[kind]
    assert event["action"] == ACTIONS[str(route)]
    assert (event["target_type"], event["target_id"]) == (kind, str(target))
    assert (event["actor_id"], event["actor"]) == (ROOT.id, ROOT.login)
    assert event["address"] == "2001:db8::7"
    assert event["request_id"] == answer.headers["x-request-id"]
    assert before <= datetime.fromisoformat(event["at"]) <= clock.now()


@pytest.mark.parametrize("route", [one for one in CHANGING if one.who == "manager"], ids=str)
def test_what_a_manager_changes_is_told_too(root: Browser, manager: Browser, route: Route) -> None:
    assert route.call(manager, user=ALICE.id, organization=OWN).is_success
    (event,) = events(root)
    assert (event["actor"], event["action"]) == (BOB.login, ACTIONS[str(route)])


@pytest.mark.parametrize("route", [one for one in ROUTES if one.method == "GET"], ids=str)
def test_what_changes_nothing_leaves_none(root: Browser, database: Database, route: Route) -> None:
    assert route.call(root, user=ALICE.id, organization=OWN).is_success
    assert count(database) == 0


def test_what_was_so_already_leaves_no_event(root: Browser, database: Database) -> None:
    same = {"name": ALICE.name, "role": "user", "organization_id": OWN}
    for payload in ({}, same):
        assert root.patch(f"/api/admin/users/{ALICE.id}", json=payload).is_success
    for payload in ({}, {"is_active": True, "code": "DEMO-001"}):
        assert root.patch(f"/api/admin/organizations/{OWN}", json=payload).is_success
    assert count(database) == 0
    for _ in range(2):
        assert root.delete(f"/api/admin/organizations/{OWN}/invitation").is_success
    assert count(database) == 1


@pytest.mark.parametrize(
    ("method", "path", "payload", "status"),
    [
        ("POST", "/organizations", {"code": "DEMO-001", "name": "x"}, 409),
        ("PATCH", f"/organizations/{OTHER}", {"code": "DEMO-001"}, 409),
        ("DELETE", f"/organizations/{OWN}", None, 409),
        ("PATCH", f"/users/{ROOT.id}", {"role": "user"}, 409),
        ("PATCH", f"/users/{ROOT.id}", {"role": "manager"}, 409),
        ("PATCH", f"/users/{ALICE.id}", {"organization_id": 4711}, 400),
        ("DELETE", f"/users/{ROOT.id}", None, 409),
        ("POST", "/users/4711/unlock", None, 404),
        ("POST", "/users/4711/password-reset", None, 404),
        ("POST", "/users/4711/logout", None, 404),
    ],
)
def test_what_was_refused_leaves_no_event_and_no_change(
    root: Browser, database: Database, method: str, path: str, payload: Any, status: int
) -> None:
    lists = ("organizations", "users")
    before = [root.get(f"/api/admin/{name}").json() for name in lists]
    answer = root.request(method, f"/api/admin{path}", json=payload)
    assert answer.status_code == status
    assert [root.get(f"/api/admin/{name}").json() for name in lists] == before
    assert count(database) == 0


def test_an_event_tells_what_has_changed(root: Browser) -> None:
    root.patch(f"/api/admin/users/{ALICE.id}", json={"role": "manager", "name": "新名"})
    root.patch(f"/api/admin/users/{ALICE.id}", json={"name": "新名", "organization_id": OTHER})
    closing = {"is_active": False, "expires_at": "2031-01-01T08:00:00+08:00"}
    root.patch(f"/api/admin/organizations/{EMPTY}", json=closing)
    root.delete(f"/api/admin/organizations/{EMPTY}")
    found = [(one["action"], one["details"]) for one in reversed(events(root))]
    assert found == [
        (
            "user.role",
            {
                "role": {"from": "user", "to": "manager"},
                "name": {"from": ALICE.name, "to": "新名"},
            },
        ),
        ("user.change", {"organization_id": {"from": OWN, "to": OTHER}}),
        (
            "organization.change",
            {
                "is_active": {"from": True, "to": False},
                "expires_at": {"from": None, "to": "2031-01-01T00:00:00Z"},
            },
        ),
        ("organization.delete", {"code": "BJ-001", "name": "Beijing First High School"}),
    ]


def test_the_trail_holds_no_secret(root: Browser) -> None:
    made = root.post("/api/admin/organizations", json={"code": "A", "name": "A"}).json()
    codes = [made["invitation_code"]]
    path = f"/api/admin/organizations/{made['id']}"
    codes.append(root.post(f"{path}/invitation").json()["invitation_code"])
    root.patch(path, json={"name": "B"})
    root.delete(f"{path}/invitation")
    codes.append(root.post(f"/api/admin/users/{ALICE.id}/password-reset").json()["token"])
    root.delete(f"/api/admin/users/{ALICE.id}")
    text = root.get(PATH, params={"limit": 100}).text
    assert len(events(root)) == 6
    assert not [code for code in codes if code in text]
    assert not re.search(r"argon2|password_hash|invitation_code|token[^_]", text)


def test_a_deleted_actor_is_still_named(root: Browser, manager: Browser) -> None:
    assert manager.post(f"/api/admin/organizations/{OWN}/invitation").is_success
    assert root.delete(f"/api/admin/users/{BOB.id}").status_code == 200
    assert [(one["actor_id"], one["actor"]) for one in events(root)] == [
        (ROOT.id, ROOT.login),
        (None, BOB.login),
    ]


@pytest.fixture
def many(database: Database) -> list[int]:
    """60 events of two moments, by two actors, about three targets; their ids, newest first."""
    start = clock.now() - timedelta(hours=1)
    made = [
        AuditEvent(
            at=start + timedelta(minutes=at // 30),
            actor_id=(ROOT.id, ALICE.id)[at % 2],
            actor="x",
            action=("user.role", "user.change")[at % 2],
            target_type="user",
            target_id=str(at % 3),
            details={},
        )
        for at in range(60)
    ]
    with database.begin() as session:
        session.add_all(made)
        session.flush()
        return sorted((event.id for event in made), reverse=True)


@pytest.mark.parametrize("limit", [7, 60, 100])
def test_the_pages_have_every_event_once_and_newest_first(
    root: Browser, many: list[int], limit: int
) -> None:
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = root.get(PATH, params={"limit": limit, "cursor": cursor}).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == many


def test_filters_narrow_the_trail_together(root: Browser, many: list[int]) -> None:
    assert len(events(root, actor_id=ALICE.id)) == 30
    assert len(events(root, action="user.role")) == 30
    assert len(events(root, target_type="user", target_id="2")) == 20
    assert len(events(root, target_type="user", target_id="2", actor_id=ROOT.id)) == 10
    assert events(root, target_type="organization") == []
    middle = events(root)[0]["at"]
    assert len(events(root, **{"from": middle})) == 30
    assert [event["id"] for event in events(root, to=middle)] == many[30:]
    assert events(root, **{"from": middle, "to": middle}) == []


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("limit", [2, 50])
def test_a_list_takes_one_query_however_long_it_is(
    service: Service, root: Browser, limit: int
) -> None:
    root.get("/api/auth/me")
    with service.statements() as seen:
        assert len(root.get(PATH, params={"limit": limit}).json()["items"]) == limit
    assert len([one for one in seen if one.startswith("SELECT")]) == 1, seen
