"""Who may ask for what under /api/admin, for each of its endpoints."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tests.http.browsers import Browser, Service
from tests.people import ALICE, CHARLIE

# Of the seeds, in their order: alice's and bob's, charlie's, and one without members.
OWN, OTHER, EMPTY = 1, 2, 3
NOBODY = 4711


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    who: Literal["admin", "manager"] = "admin"
    payload: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def kind(self) -> str | None:
        """What its id is of."""
        return next((one for one in ("user", "organization") if "{" + one + "}" in self.path), None)

    def call(self, browser: Browser, *, user: object = 0, organization: object = 0) -> Any:
        path = "/api/admin" + self.path.format(user=user, organization=organization)
        options = {} if self.payload is None else {"json": self.payload}
        return browser.request(self.method, path, **options)


ROUTES = [
    Route("POST", "/organizations", payload={"code": "GZ-001", "name": "广州第一中学"}),
    Route("GET", "/organizations"),
    Route("GET", "/organizations/{organization}", "manager"),
    Route("PATCH", "/organizations/{organization}", payload={"name": "改名"}),
    Route("DELETE", "/organizations/{organization}"),
    Route("POST", "/organizations/{organization}/invitation", "manager"),
    Route("DELETE", "/organizations/{organization}/invitation"),
    Route("GET", "/users", "manager"),
    Route("GET", "/users/{user}", "manager"),
    Route("PATCH", "/users/{user}", payload={"role": "manager"}),
    Route("POST", "/users/{user}/unlock", "manager"),
    Route("POST", "/users/{user}/password-reset", "manager"),
    Route("POST", "/users/{user}/logout"),
    Route("GET", "/users/{user}/deletion"),
    Route("DELETE", "/users/{user}"),
    Route("GET", "/audit"),
    Route("GET", "/status"),
]
OF_ONE = [route for route in ROUTES if route.kind]
OF_MANAGERS = [route for route in ROUTES if route.who == "manager"]
NOT_FOUND = {"user": "UserNotFound", "organization": "OrganizationNotFound"}


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_every_route_is_in_the_list(service: Service) -> None:
    found = {
        (method.upper(), path.replace("_id}", "}"))
        for path, methods in service.app.openapi()["paths"].items()
        if path.startswith("/api/admin")
        for method in methods
    }
    assert found == {(route.method, "/api/admin" + route.path) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_nobody_gets_in_without_a_login(anybody: Browser, route: Route) -> None:
    answer = route.call(anybody, user=ALICE.id, organization=OWN)
    assert outcome(answer) == (401, "NotLoggedIn")


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_plain_member_may_do_none_of_it(alice: Browser, route: Route) -> None:
    wanted = "NotAManager" if route.who == "manager" else "NotAnAdministrator"
    answer = route.call(alice, user=ALICE.id, organization=OWN)
    assert outcome(answer) == (403, wanted)


@pytest.mark.parametrize("route", [one for one in ROUTES if one not in OF_MANAGERS], ids=str)
def test_a_manager_is_no_administrator(manager: Browser, route: Route) -> None:
    answer = route.call(manager, user=ALICE.id, organization=OWN)
    assert outcome(answer) == (403, "NotAnAdministrator")


@pytest.mark.parametrize("route", OF_MANAGERS, ids=str)
def test_a_manager_may_do_it_at_the_own_school(manager: Browser, route: Route) -> None:
    assert route.call(manager, user=ALICE.id, organization=OWN).is_success


@pytest.mark.parametrize("route", [one for one in OF_MANAGERS if one.kind], ids=str)
def test_to_a_manager_other_schools_do_not_exist(manager: Browser, route: Route) -> None:
    assert route.kind
    answer = route.call(manager, user=CHARLIE.id, organization=OTHER)
    assert outcome(answer) == (404, NOT_FOUND[route.kind])


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_an_administrator_may_do_all_of_it(root: Browser, route: Route) -> None:
    assert route.call(root, user=CHARLIE.id, organization=EMPTY).is_success


@pytest.mark.parametrize("route", OF_ONE, ids=str)
def test_who_or_what_is_not_there_is_not_found(root: Browser, route: Route) -> None:
    assert route.kind
    answer = route.call(root, user=NOBODY, organization=NOBODY)
    assert outcome(answer) == (404, NOT_FOUND[route.kind])


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**31), str(2**70)])
@pytest.mark.parametrize("route", OF_ONE, ids=str)
def test_an_id_that_can_not_be_one_is_refused(root: Browser, route: Route, number: str) -> None:
    answer = route.call(root, user=number, organization=number)
    assert outcome(answer) == (422, "InvalidPayload")


BROKEN: dict[str, tuple[Any, ...]] = {
    "POST /organizations": (
        None,
        [],
        {},
        {"code": "A"},
        {"code": "", "name": "x"},
        {"code": " ", "name": "x"},
        {"code": "x" * 51, "name": "x"},
        {"code": "A", "name": "x" * 201},
        {"code": "A", "name": "nul\x00"},
        {"code": "A", "name": "\ud800"},
        {"code": "A", "name": "x", "expires_at": "tomorrow"},
        {"code": "A", "name": "x", "expires_at": "2030-01-01T00:00:00"},
        {"code": "A", "name": "x", "expires_at": "0001-01-01T00:00:00+23:00"},
    ),
    "PATCH /organizations/{organization}": (
        [],
        {"name": None},
        {"code": None},
        {"code": ""},
        {"is_active": None},
        {"is_active": "perhaps"},
        {"expires_at": "9999-12-31T23:59:59-23:00"},
        {"nam": "typing error"},
        {"invitation_code": "MINE-00000000"},
    ),
    "PATCH /users/{user}": (
        [],
        {"role": None},
        {"role": "king"},
        {"organization_id": 0},
        {"organization_id": 2**31},
        {"organization_id": "x"},
        {"name": "x" * 101},
        {"name": "nul\x00"},
        {"login": "new@school.org"},
        {"password_hash": "mine"},
    ),
}


@pytest.mark.parametrize(
    ("route", "payload"),
    [(route, payload) for route in ROUTES for payload in BROKEN.get(str(route), ())],
    ids=str,
)
def test_a_payload_that_can_not_be_used_is_refused(
    root: Browser, route: Route, payload: Any
) -> None:
    broken = Route(route.method, route.path, payload=payload)
    answer = broken.call(root, user=ALICE.id, organization=OWN)
    assert outcome(answer) == (422, "InvalidPayload")


@pytest.mark.parametrize(
    "path",
    [
        "/organizations?limit=0",
        "/organizations?q=" + "x" * 101,
        "/users?limit=101",
        "/users?role=king",
        "/users?organization_id=0",
        "/users?q=%00",
        "/audit?actor_id=x",
        "/audit?from=yesterday",
        "/audit?to=2030-01-01T00:00:00",
        "/audit?target_id=" + "x" * 37,
        "/audit?action=%00",
    ],
)
def test_a_question_that_can_not_be_answered_is_refused(root: Browser, path: str) -> None:
    assert outcome(root.get(f"/api/admin{path}")) == (422, "InvalidPayload")


@pytest.mark.parametrize("path", ["/organizations", "/users", "/audit"])
@pytest.mark.parametrize("cursor", ["nonsense", "é", "WyJhIl0=", "W3RydWVd", "WzFlOV0="])
def test_a_cursor_of_somebody_else_is_refused(root: Browser, path: str, cursor: str) -> None:
    answer = root.get(f"/api/admin{path}", params={"cursor": cursor})
    assert outcome(answer) == (400, "InvalidCursor")
