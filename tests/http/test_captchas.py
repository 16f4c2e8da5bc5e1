import base64
from typing import Any

import httpx
import pytest
import redis

from app.auth.attempts import FREE_FAILURES
from app.cache import keys
from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.http.test_accounts import NEWCOMER, log_in
from tests.http.test_sessions import ask
from tests.people import ALICE, BOB, PASSWORD

WRONG = "not the password"


@pytest.fixture
def asking(settings: Settings) -> Any:
    """A browser of a service that asks for captchas."""
    with serving(settings.model_copy(update={"captcha_enabled": True})) as service:
        yield service.browser()


def solved(browser: Browser, cache: redis.Redis, kind: str = "image") -> dict[str, str]:
    """The fields that answer a new captcha."""
    captcha_id = browser.post("/api/auth/captcha", json={"kind": kind}).json()["id"]
    stored: Any = cache.get(keys.captcha(captcha_id))
    return {"captcha_id": captcha_id, "captcha_answer": bytes(stored).decode().upper()}


def register(browser: Browser, **changes: Any) -> httpx.Response:
    return browser.post("/api/auth/register", json=NEWCOMER | changes)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def lock(browser: Browser, login: str) -> None:
    for _ in range(FREE_FAILURES):
        assert log_in(browser, login, WRONG).status_code == 401


@pytest.mark.parametrize(
    ("kind", "media_type", "begins"),
    [("image", "image/png", b"\x89PNG"), ("audio", "audio/wav", b"RIFF")],
)
def test_anybody_gets_a_captcha(
    anybody: Browser, kind: str, media_type: str, begins: bytes
) -> None:
    answer = anybody.post("/api/auth/captcha", json={"kind": kind})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["kind"], body["media_type"], body["expires_in"]) == (kind, media_type, 300)
    assert base64.b64decode(body["data"]).startswith(begins)


@pytest.mark.parametrize("payload", [{}, {"kind": "video"}, {"kind": None}, [], "image"])
def test_there_are_two_kinds_of_captchas(anybody: Browser, payload: Any) -> None:
    assert ask(anybody, "POST", "/api/auth/captcha", payload) == (422, "InvalidPayload")


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_whoever_solves_a_captcha_registers(asking: Browser, cache: redis.Redis, kind: str) -> None:
    assert register(asking, **solved(asking, cache, kind)).status_code == 201


def test_nobody_registers_without_a_captcha(asking: Browser, cache: redis.Redis) -> None:
    right = solved(asking, cache)
    for fields in (
        {},
        {"captcha_id": right["captcha_id"]},
        {"captcha_answer": right["captcha_answer"]},
        {"captcha_id": "nobody's", "captcha_answer": right["captcha_answer"]},
        solved(asking, cache) | {"captcha_answer": "wrong"},
    ):
        assert error_of(register(asking, **fields)) == (400, "InvalidCaptcha")
    assert register(asking, **right).status_code == 201
    again = register(asking, login="erik@school.org", **right)
    assert error_of(again) == (400, "InvalidCaptcha")


def test_a_captcha_that_expired_is_no_longer_good(asking: Browser, cache: redis.Redis) -> None:
    right = solved(asking, cache)
    cache.delete(keys.captcha(right["captcha_id"]))
    assert error_of(register(asking, **right)) == (400, "InvalidCaptcha")


@pytest.mark.parametrize(
    "fields",
    [
        {"captcha_id": "x" * 65},
        {"captcha_answer": "x" * 65},
        {"captcha_id": 5},
        {"captcha_id": "nul\x00"},
        {"captcha_answer": "\ud800"},
    ],
)
def test_an_answer_that_can_be_none_is_refused(asking: Browser, fields: dict[str, Any]) -> None:
    assert error_of(register(asking, **fields)) == (422, "InvalidPayload")


# Locks


@pytest.mark.parametrize("login", [ALICE.login, "nobody@school.org"])
def test_known_and_unknown_names_are_locked_alike(anybody: Browser, login: str) -> None:
    lock(anybody, login)
    answer = log_in(anybody, login, WRONG)
    assert error_of(answer) == (429, "LoginLocked")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert log_in(anybody, BOB.login).is_success


def test_the_right_password_does_not_pass_a_lock(anybody: Browser) -> None:
    lock(anybody, ALICE.login)
    assert error_of(log_in(anybody, ALICE.login)) == (429, "LoginLocked")


def test_a_success_begins_the_count_again(anybody: Browser) -> None:
    for _ in range(2):
        for _ in range(FREE_FAILURES - 1):
            assert log_in(anybody, ALICE.login, WRONG).status_code == 401
        assert log_in(anybody, ALICE.login).is_success


def test_a_lock_leaves_open_sessions_alone(service: Service) -> None:
    browser = service.browser_of(ALICE)
    lock(service.browser(), ALICE.login)
    assert browser.get("/api/auth/me").is_success


def test_a_solved_captcha_lets_the_owner_in(asking: Browser, cache: redis.Redis) -> None:
    lock(asking, ALICE.login)
    assert error_of(log_in(asking, ALICE.login)) == (429, "LoginLocked")
    mine = {"login": ALICE.login, "password": PASSWORD} | solved(asking, cache)
    assert asking.post("/api/auth/login", json=mine).json()["id"] == ALICE.id
    # It ended the lock.
    assert log_in(asking, ALICE.login).is_success


def test_a_captcha_lets_one_password_be_tried(asking: Browser, cache: redis.Redis) -> None:
    lock(asking, ALICE.login)
    guess = {"login": ALICE.login, "password": WRONG} | solved(asking, cache)
    assert asking.post("/api/auth/login", json=guess).status_code == 401
    used = asking.post("/api/auth/login", json=guess | {"password": PASSWORD})
    assert error_of(used) == (400, "InvalidCaptcha")
    wrong = guess | {"password": PASSWORD} | solved(asking, cache) | {"captcha_answer": "no"}
    assert error_of(asking.post("/api/auth/login", json=wrong)) == (400, "InvalidCaptcha")


def test_where_captchas_are_off_none_passes_a_lock(anybody: Browser, cache: redis.Redis) -> None:
    lock(anybody, ALICE.login)
    mine = {"login": ALICE.login, "password": PASSWORD} | solved(anybody, cache)
    assert error_of(anybody.post("/api/auth/login", json=mine)) == (429, "LoginLocked")


def test_where_captchas_are_off_those_sent_are_ignored(anybody: Browser) -> None:
    fields = {"captcha_id": "made up", "captcha_answer": "made up"}
    assert register(anybody, **fields).status_code == 201
    mine = {"login": ALICE.login, "password": PASSWORD} | fields
    assert anybody.post("/api/auth/login", json=mine).is_success
