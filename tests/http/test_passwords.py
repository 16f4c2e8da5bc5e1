from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import func, select, update

from app import clock
from app.auth import service as accounts
from app.auth.attempts import FREE_FAILURES
from app.auth.dependencies import SESSION_COOKIE
from app.auth.models import PasswordReset
from app.auth.schemas import PasswordResetIn
from app.cache import client as caches
from app.db.session import Database
from app.settings import Settings
from tests.http.browsers import Browser, Service
from tests.http.test_accounts import log_in
from tests.http.test_captchas import error_of, lock
from tests.http.test_sessions import is_logged_in, sessions_of
from tests.people import ALICE, BOB, PASSWORD, Person

NEW = "a better horse 电池 staple"


def change(browser: Browser, current: Any = PASSWORD, new: Any = NEW) -> httpx.Response:
    payload = {"current_password": current, "new_password": new}
    return browser.put("/api/auth/password", json=payload)


def reset(browser: Browser, token: Any, new: Any = NEW) -> httpx.Response:
    payload = {"token": token, "new_password": new}
    return browser.post("/api/auth/password-reset", json=payload)


def issue(database: Database, person: Person, hours: int = 24) -> str:
    with database.begin() as session:
        return accounts.issue_reset(session, person.id, hours)


def count_resets(database: Database) -> int:
    with database.read() as session:
        return session.scalars(select(func.count()).select_from(PasswordReset)).one()


def test_a_changed_password_is_the_only_one_that_is_good(
    service: Service, alice: Browser, anybody: Browser
) -> None:
    assert change(alice).status_code == 204
    assert log_in(anybody, ALICE.login).status_code == 401
    assert log_in(anybody, ALICE.login, NEW).is_success
    assert log_in(service.browser(), BOB.login).is_success


def test_a_changed_password_ends_every_session_but_the_one_it_was_changed_in(
    service: Service, bob: Browser
) -> None:
    laptop, phone, thief = (service.browser_of(ALICE) for _ in range(3))
    thief.cookies.clear()
    thief.cookies.set(SESSION_COOKIE, laptop.cookies[SESSION_COOKIE])
    changed = change(laptop)
    header = changed.headers["set-cookie"].lower()
    assert "httponly" in header
    assert f"max-age={30 * 86_400}" in header
    assert [is_logged_in(one) for one in (laptop, phone, thief, bob)] == [True, False, False, True]
    assert [one["current"] for one in sessions_of(laptop)] == [True]
    assert change(laptop, NEW, PASSWORD).status_code == 204
    assert is_logged_in(laptop)


def test_the_sessions_are_over_though_redis_still_has_them(
    service: Service, alice: Browser, cache: redis.Redis
) -> None:
    phone = service.browser_of(ALICE)
    kept: Any = {key: cache.dump(key) for key in cache.scan_iter()}
    assert change(alice).status_code == 204
    for key, value in kept.items():
        cache.restore(key, 60_000, value, replace=True)
    assert not is_logged_in(phone)


def test_without_the_current_password_there_is_no_other(alice: Browser, anybody: Browser) -> None:
    assert error_of(change(alice, "not the password")) == (403, "WrongPassword")
    assert is_logged_in(alice)
    assert log_in(anybody, ALICE.login).is_success


def test_guesses_of_the_current_password_count_as_failed_logins(
    alice: Browser, anybody: Browser
) -> None:
    for _ in range(FREE_FAILURES):
        assert change(alice, "not the password").status_code == 403
    assert error_of(change(alice)) == (429, "LoginLocked")
    assert error_of(log_in(anybody, ALICE.login)) == (429, "LoginLocked")
    assert is_logged_in(alice)


def test_parallel_changes_of_a_password_are_one(service: Service) -> None:
    browsers = [service.browser_of(ALICE) for _ in range(4)]
    wishes = [f"wish number {at}" for at in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(change, browsers, [PASSWORD] * 4, wishes)
        codes = [answer.status_code for answer in answers]
    assert codes.count(204) == 1
    assert set(codes) <= {204, 401, 403}
    chosen = wishes[codes.index(204)]
    assert log_in(service.browser(), ALICE.login, chosen).is_success


@pytest.mark.parametrize("new", ["short", "x" * 129, None, 12345678, "\ud800" + "x" * 8])
def test_a_password_that_can_not_be_one_is_refused(
    alice: Browser, database: Database, new: Any
) -> None:
    token = issue(database, ALICE)
    for answer in (change(alice, PASSWORD, new), reset(alice, token, new)):
        assert error_of(answer) == (422, "InvalidPayload")
        assert answer.json()["detail"][0]["where"] == ["body", "new_password"]
    assert reset(alice, token).status_code == 204


@pytest.mark.parametrize("new", [ALICE.login, " Alice@SCHOOL.org "])
def test_the_login_name_is_no_password(alice: Browser, database: Database, new: str) -> None:
    token = issue(database, ALICE)
    for answer in (change(alice, PASSWORD, new), reset(alice, token, new)):
        assert error_of(answer) == (400, "PasswordIsLogin")
    assert reset(alice, token).status_code == 204


# Resets


def test_a_reset_sets_a_password_and_ends_sessions_and_lock(
    service: Service, anybody: Browser, database: Database
) -> None:
    browser, token = service.browser_of(ALICE), issue(database, ALICE)
    lock(anybody, ALICE.login)
    assert reset(anybody, token).status_code == 204
    assert not is_logged_in(anybody)
    assert not is_logged_in(browser)
    assert log_in(anybody, ALICE.login, NEW).is_success
    assert len(sessions_of(anybody)) == 1


def test_a_reset_is_good_once(anybody: Browser, database: Database) -> None:
    token = issue(database, ALICE)
    assert reset(anybody, token).status_code == 204
    assert error_of(reset(anybody, token, PASSWORD)) == (400, "InvalidResetToken")
    assert count_resets(database) == 0


def test_of_parallel_uses_of_a_reset_one_wins(service: Service, database: Database) -> None:
    token = issue(database, ALICE)
    browsers = [service.browser() for _ in range(4)]
    wishes = [f"wish number {at}" for at in range(4)]
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(reset, browsers, [token] * 4, wishes)
        codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [204, 400, 400, 400]
    chosen = wishes[codes.index(204)]
    assert log_in(service.browser(), ALICE.login, chosen).is_success


def test_a_newer_reset_replaces_the_one_before(anybody: Browser, database: Database) -> None:
    older, of_bob, newer = issue(database, ALICE), issue(database, BOB), issue(database, ALICE)
    assert error_of(reset(anybody, older)) == (400, "InvalidResetToken")
    assert reset(anybody, newer).status_code == 204
    assert reset(anybody, of_bob).status_code == 204


def test_resets_that_are_issued_at_the_same_moment_leave_one(
    anybody: Browser, database: Database
) -> None:
    with ThreadPoolExecutor(4) as threads:
        tokens = list(threads.map(lambda _: issue(database, ALICE), range(8)))
    assert count_resets(database) == 1
    codes = [reset(anybody, token).status_code for token in tokens]
    assert sorted(codes) == [204] + [400] * 7


def test_a_reset_expires(anybody: Browser, database: Database) -> None:
    token = issue(database, ALICE)
    with database.begin() as session:
        session.execute(update(PasswordReset).values(expires_at=clock.now() - timedelta(seconds=1)))
    assert error_of(reset(anybody, token)) == (400, "InvalidResetToken")
    assert log_in(anybody, ALICE.login).is_success


def test_a_changed_password_voids_a_reset(
    alice: Browser, anybody: Browser, database: Database
) -> None:
    token = issue(database, ALICE)
    assert change(alice).status_code == 204
    assert error_of(reset(anybody, token)) == (400, "InvalidResetToken")


def test_the_database_holds_no_token(anybody: Browser, database: Database) -> None:
    token = issue(database, ALICE)
    with database.read() as session:
        stored = session.scalars(select(PasswordReset.token_hash)).one()
    assert token not in stored
    assert error_of(reset(anybody, stored)) == (400, "InvalidResetToken")


@pytest.mark.parametrize("token", ["guess", "' OR 1=1 --", "中", "%", "x" * 100])
def test_a_made_up_token_resets_nothing(anybody: Browser, database: Database, token: str) -> None:
    issue(database, ALICE)
    assert error_of(reset(anybody, token)) == (400, "InvalidResetToken")


@pytest.mark.parametrize("token", ["", "x" * 101, None, 5, "nul\x00", "\ud800"])
def test_a_token_that_can_not_be_one_is_refused(anybody: Browser, token: Any) -> None:
    assert error_of(reset(anybody, token)) == (422, "InvalidPayload")


@pytest.fixture
def dead(base: Settings, closed_port: int) -> Iterator[redis.Redis]:
    with caches.build(base.model_copy(update={"redis_port": closed_port})) as client:
        yield client


def test_a_reset_without_redis_still_ends_the_sessions(
    service: Service, database: Database, dead: redis.Redis
) -> None:
    browser = service.browser_of(ALICE)
    token = issue(database, ALICE)
    payload = PasswordResetIn(token=token, new_password=SecretStr(NEW))
    accounts.reset_password(database, dead, service.app.state.cache, payload)
    assert not is_logged_in(browser)
    assert log_in(browser, ALICE.login, NEW).is_success
    assert len(sessions_of(browser)) == 1
