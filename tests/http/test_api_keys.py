"""Keys with which programs act for a user."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app import clock
from app.auth import api_keys
from app.auth.models import ApiKey
from app.db.session import Database
from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.http.test_diagrams import MAP
from tests.people import ALICE, BOB

WANTED: dict[str, Any] = {"name": "网站", "scopes": ["diagrams:read", "diagrams:write"]}


def make(browser: Browser, **changes: Any) -> dict[str, Any]:
    answer = browser.post("/api/keys", json=WANTED | changes)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def call(service: Service, key: str, path: str = "/api/diagrams") -> httpx.Response:
    return service.browser().get(path, headers=bearer(key))


def listed(browser: Browser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get("/api/keys").json()
    return found


def test_a_key_is_shown_once_and_kept_by_its_hash(alice: Browser, database: Database) -> None:
    made = make(alice)
    key = made.pop("key")
    assert key.startswith(made["prefix"])
    assert len(key) > 40
    assert listed(alice) == [made]
    with database.read() as session:
        row = session.get(ApiKey, made["id"])
    assert row
    assert row.key_hash == api_keys.hash_of(key)
    assert key not in str(vars(row))


@pytest.mark.parametrize("style", ["bearer", "X-API-Key"])
def test_a_program_acts_for_the_user_of_its_key(
    service: Service, alice: Browser, style: str
) -> None:
    key = make(alice)["key"]
    headers = bearer(key) if style == "bearer" else {"x-api-key": key}
    program = service.browser()
    made = program.post("/api/diagrams", json=MAP, headers=headers)
    assert made.status_code == 201, made.text
    assert alice.get(f"/api/diagrams/{made.json()['id']}").is_success
    assert [one["id"] for one in program.get("/api/diagrams", headers=headers).json()["items"]] == [
        made.json()["id"]
    ]


@pytest.mark.parametrize("key", ["mg_guess", "", "x" * 5_000, "mg_é", "a b", "mg_\x7f"])
def test_a_key_that_is_none_opens_nothing(service: Service, key: str) -> None:
    answer = service.browser().get("/api/diagrams", headers={"x-api-key": key.encode("utf-8")})
    assert answer.status_code == 401
    assert answer.json()["error"] in {"InvalidKey", "NotLoggedIn"}


def test_a_key_counts_and_not_the_cookie_beside_it(alice: Browser) -> None:
    answer = alice.get("/api/diagrams", headers=bearer("mg_guess"))
    assert (answer.status_code, answer.json()["error"]) == (401, "InvalidKey")


def test_a_key_is_good_for_its_scopes_only(service: Service, alice: Browser) -> None:
    key = make(alice, scopes=["diagrams:read"])["key"]
    assert call(service, key).is_success
    answer = service.browser().post("/api/diagrams", json=MAP, headers=bearer(key))
    assert (answer.status_code, answer.json()["error"]) == (403, "ScopeMissing")
    assert "diagrams:write" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/auth/me"), ("GET", "/api/keys"), ("POST", "/api/keys")],
)
def test_no_key_opens_the_account(service: Service, alice: Browser, method: str, path: str) -> None:
    key = make(alice)["key"]
    answer = service.browser().request(method, path, headers=bearer(key))
    assert (answer.status_code, answer.json()["error"]) == (403, "ScopeMissing")


@pytest.mark.parametrize(
    "end",
    [
        {"is_active": False},
        {"expires_at": "2020-01-01T00:00:00Z"},
        "delete",
    ],
)
def test_a_key_that_is_ended_opens_nothing(service: Service, alice: Browser, end: Any) -> None:
    made = make(alice)
    assert call(service, made["key"]).is_success
    path = f"/api/keys/{made['id']}"
    if end == "delete":
        assert alice.delete(path).status_code == 204
        assert listed(alice) == []
    else:
        assert alice.patch(path, json=end).is_success
    answer = call(service, made["key"])
    assert (answer.status_code, answer.json()["error"]) == (401, "InvalidKey")


def test_a_change_leaves_what_is_not_named(alice: Browser) -> None:
    made = make(alice, description="for the site", quota_limit=5)
    made.pop("key")
    changed = alice.patch(f"/api/keys/{made['id']}", json={"name": "new"}).json()
    assert changed == made | {"name": "new"}
    cleared = alice.patch(
        f"/api/keys/{made['id']}", json={"description": None, "quota_limit": None}
    ).json()
    assert cleared == made | {"name": "new", "description": None, "quota_limit": None}


def test_a_quota_ends_and_may_begin_anew(service: Service, alice: Browser) -> None:
    made = make(alice, quota_limit=2)
    answers = [call(service, made["key"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["error"] == "KeyQuotaReached"
    assert listed(alice)[0]["usage_count"] == 2
    alice.patch(f"/api/keys/{made['id']}", json={"usage_count": 0})
    assert call(service, made["key"]).is_success


def test_calls_that_are_refused_use_nothing_up(service: Service, alice: Browser) -> None:
    made = make(alice, quota_limit=5, scopes=["usage:read"])
    for _ in range(3):
        assert call(service, made["key"]).status_code == 403
    assert listed(alice)[0]["usage_count"] == 0


def test_of_200_parallel_calls_exactly_the_quota_passes(service: Service, alice: Browser) -> None:
    made = make(alice, quota_limit=100)
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: call(service, made["key"]).status_code, range(200)))
    assert (found.count(200), found.count(429)) == (100, 100)
    assert listed(alice)[0]["usage_count"] == 100


def test_the_last_use_is_noted_without_a_write_for_each_call(
    service: Service, alice: Browser, database: Database
) -> None:
    made = make(alice)
    assert made["last_used_at"] is None
    with service.statements() as seen:
        for _ in range(5):
            call(service, made["key"])
    assert len([one for one in seen if one.startswith("UPDATE")]) == 1
    first = listed(alice)[0]["last_used_at"]
    assert first
    with database.begin() as session:
        row = session.get(ApiKey, made["id"])
        assert row
        row.last_used_at = clock.now() - timedelta(minutes=2)
    call(service, made["key"])
    assert listed(alice)[0]["last_used_at"] > first


def test_a_stranger_s_key_is_not_there(alice: Browser, bob: Browser) -> None:
    made = make(alice)
    path = f"/api/keys/{made['id']}"
    for answer in (bob.patch(path, json={"name": "mine"}), bob.delete(path)):
        assert (answer.status_code, answer.json()["error"]) == (404, "KeyNotFound")
    assert listed(bob) == []
    assert listed(alice)[0]["name"] == WANTED["name"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/keys"),
        ("POST", "/api/keys"),
        ("PATCH", "/api/keys/1"),
        ("DELETE", "/api/keys/1"),
    ],
)
def test_nobody_has_keys_without_a_login(anybody: Browser, method: str, path: str) -> None:
    answer = anybody.request(method, path)
    assert (answer.status_code, answer.json()["error"]) == (401, "NotLoggedIn")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": None},
        {"name": "nul\x00"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "diagrams:read"},
        {"quota_limit": -1},
        {"quota_limit": 2**31},
        {"expires_at": "tomorrow"},
        {"expires_at": "2031-01-01T00:00:00"},
    ],
)
def test_a_broken_payload_is_refused(alice: Browser, changes: dict[str, Any]) -> None:
    made = make(alice)
    for answer in (
        alice.post("/api/keys", json=WANTED | changes),
        alice.patch(f"/api/keys/{made['id']}", json=changes),
    ):
        assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
    assert len(listed(alice)) == 1


def test_a_user_has_so_many_keys_also_in_parallel(settings: Settings) -> None:
    with serving(settings.model_copy(update={"keys_per_user": 3})) as service:
        alice = service.browser_of(ALICE)
        with ThreadPoolExecutor(8) as pool:
            found = list(
                pool.map(lambda _: alice.post("/api/keys", json=WANTED).status_code, range(8))
            )
        assert sorted(found) == [201] * 3 + [409] * 5
        assert len(listed(alice)) == 3
        assert service.browser_of(BOB).post("/api/keys", json=WANTED).status_code == 201


def test_a_key_of_nobody_says_so(service: Service, database: Database) -> None:
    """As those of files from before PostgreSQL."""
    with database.begin() as session:
        session.add(
            ApiKey(
                key_hash=api_keys.hash_of("mg_old"),
                prefix="mg_old",
                name="old",
                scopes="diagrams:read",
                created_at=clock.now(),
            )
        )
    answer = call(service, "mg_old")
    assert (answer.status_code, answer.json()["error"]) == (403, "KeyWithoutUser")
