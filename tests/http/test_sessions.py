from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from app.auth import sessions
from app.auth.dependencies import SESSION_COOKIE
from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.http.test_accounts import log_in
from tests.people import ALICE, BOB


def sessions_of(browser: Browser) -> list[dict[str, Any]]:
    answer = browser.get("/api/auth/sessions")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


def is_logged_in(browser: Browser) -> bool:
    return browser.get("/api/auth/me").status_code == 200


def test_people_see_where_they_are_logged_in(service: Service) -> None:
    laptop, phone = service.browser(), service.browser()
    laptop.post(
        "/api/auth/login",
        json={"login": ALICE.login, "password": "correct horse 电池 staple"},
        headers={"user-agent": "Laptop/1.0 <script>"},
    )
    phone.cookies.set(SESSION_COOKIE, service.browser_of(ALICE).cookies[SESSION_COOKIE])
    service.browser_of(BOB)
    newest, oldest = sessions_of(phone)
    assert (newest["current"], oldest["current"]) == (True, False)
    assert oldest["agent"] == "Laptop/1.0 <script>"
    assert oldest["address"]
    assert set(newest) == {
        "id",
        "created_at",
        "last_seen_at",
        "ends_at",
        "address",
        "agent",
        "current",
    }
    assert newest["created_at"] <= newest["last_seen_at"] < newest["ends_at"]
    assert [one["current"] for one in sessions_of(laptop)] == [False, True]


def test_no_answer_holds_a_token(alice: Browser) -> None:
    secret = alice.cookies[SESSION_COOKIE].partition(".")[2]
    assert secret not in alice.get("/api/auth/sessions").text


def test_a_login_in_the_same_browser_replaces_its_session(service: Service) -> None:
    browser, thief = service.browser(), service.browser()
    log_in(browser, ALICE.login)
    thief.cookies.set(SESSION_COOKIE, browser.cookies[SESSION_COOKIE])
    assert is_logged_in(thief)
    log_in(browser, ALICE.login)
    assert not is_logged_in(thief)
    assert len(sessions_of(browser)) == 1


def test_a_failed_login_leaves_the_session_alone(service: Service) -> None:
    browser = service.browser_of(ALICE)
    assert log_in(browser, ALICE.login, "not the password").status_code == 401
    assert is_logged_in(browser)


@pytest.mark.parametrize("token", ["x", "1.x", "1." + "x" * 43, "9" * 30 + "." + "x" * 43])
def test_a_login_with_a_made_up_session_is_a_login(anybody: Browser, token: str) -> None:
    anybody.cookies.set(SESSION_COOKIE, token, domain="mindgraph.test", path="/")
    assert log_in(anybody, ALICE.login).is_success
    assert is_logged_in(anybody)


def test_one_session_is_ended_from_another_device(service: Service) -> None:
    laptop, phone = service.browser_of(ALICE), service.browser_of(ALICE)
    [of_laptop] = [one["id"] for one in sessions_of(laptop) if one["current"]]
    assert phone.delete(f"/api/auth/sessions/{of_laptop}").status_code == 204
    assert (is_logged_in(laptop), is_logged_in(phone)) == (False, True)
    answer = phone.delete(f"/api/auth/sessions/{of_laptop}")
    assert (answer.status_code, answer.json()["error"]) == (404, "SessionNotFound")


def test_nobody_ends_the_session_of_another(alice: Browser, bob: Browser) -> None:
    [of_alice] = [one["id"] for one in sessions_of(alice)]
    assert bob.delete(f"/api/auth/sessions/{of_alice}").status_code == 404
    assert is_logged_in(alice)


@pytest.mark.parametrize("session_id", ["%00", "a%2Fb", "x" * 65, "*", "'; --", "中"])
def test_an_id_of_no_session_is_refused(alice: Browser, session_id: str) -> None:
    assert alice.delete(f"/api/auth/sessions/{session_id}").status_code in {404, 422}
    assert is_logged_in(alice)


def test_a_logout_everywhere_ends_all_of_ones_sessions(service: Service, bob: Browser) -> None:
    laptop, phone = service.browser_of(ALICE), service.browser_of(ALICE)
    assert laptop.post("/api/auth/logout-everywhere").status_code == 204
    assert SESSION_COOKIE not in laptop.cookies
    assert (is_logged_in(laptop), is_logged_in(phone), is_logged_in(bob)) == (False, False, True)


def test_a_logout_ends_this_session_only(service: Service) -> None:
    laptop, phone = service.browser_of(ALICE), service.browser_of(ALICE)
    assert laptop.post("/api/auth/logout").status_code == 204
    assert (is_logged_in(laptop), is_logged_in(phone)) == (False, True)


def test_parallel_logins_keep_the_limit_of_devices(settings: Settings) -> None:
    with serving(settings.model_copy(update={"session_device_limit": 2})) as service:
        browsers = [service.browser() for _ in range(6)]
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(lambda one: log_in(one, ALICE.login), browsers))
        assert all(answer.is_success for answer in answers)
        assert sum(map(is_logged_in, browsers)) == 2


def test_a_flushed_redis_logs_out_and_loses_nothing_else(
    service: Service, cache: redis.Redis
) -> None:
    browser = service.browser_of(ALICE)
    cache.flushdb()
    assert not is_logged_in(browser)
    assert browser.get("/api/auth/sessions").status_code == 401
    assert log_in(browser, ALICE.login).json()["id"] == ALICE.id
    assert len(sessions_of(browser)) == 1


PASSWORDS = {"current_password": "not the password", "new_password": "a long enough one"}
OF_MEMBERS = [
    ("GET", "/api/auth/me", None),
    ("PATCH", "/api/auth/me", {"name": "x"}),
    ("GET", "/api/auth/sessions", None),
    ("DELETE", "/api/auth/sessions/x", None),
    ("POST", "/api/auth/logout-everywhere", None),
    ("PUT", "/api/auth/password", PASSWORDS),
]


def ask(browser: Browser, method: str, path: str, payload: Any) -> tuple[int, str]:
    options = {} if payload is None else {"json": payload}
    answer = browser.request(method, path, **options)
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(("method", "path", "payload"), OF_MEMBERS)
def test_a_stranger_gets_none_of_it(anybody: Browser, method: str, path: str, payload: Any) -> None:
    assert ask(anybody, method, path, payload) == (401, "NotLoggedIn")


@pytest.mark.parametrize(
    ("method", "path", "payload"),
    [
        *OF_MEMBERS,
        ("POST", "/api/auth/login", {"login": ALICE.login, "password": "whatever"}),
        ("POST", "/api/auth/logout", None),
        ("POST", "/api/auth/captcha", {"kind": "image"}),
    ],
)
def test_without_redis_there_is_no_pass(
    settings: Settings, closed_port: int, method: str, path: str, payload: Any
) -> None:
    with serving(settings.model_copy(update={"redis_port": closed_port})) as service:
        browser = service.browser()
        token = f"{ALICE.id}.{'x' * 43}"
        browser.cookies.set(SESSION_COOKIE, token, domain="mindgraph.test", path="/")
        assert ask(browser, method, path, payload) == (503, "RedisUnavailable")


def test_a_session_of_another_epoch_is_over(service: Service) -> None:
    browser = service.browser()
    token = sessions.create(service.app.state.redis, service.settings, ALICE.id, epoch=1)
    browser.cookies.set(SESSION_COOKIE, token, domain="mindgraph.test", path="/")
    assert not is_logged_in(browser)
