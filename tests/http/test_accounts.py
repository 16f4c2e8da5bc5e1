import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app import clock
from app.auth.dependencies import SESSION_COOKIE
from app.cache import keys
from app.db.session import Database
from app.organizations.models import Organization
from app.settings import Settings
from app.users import service as users
from tests.commands import wait_until
from tests.databases import is_waiting, on_postgresql
from tests.http.browsers import Browser, Service, serving
from tests.people import ALICE, BOB, CHARLIE, PASSWORD, ROOT

NEWCOMER = {
    "login": "dora@school.org",
    "password": "a long enough one",
    "name": "多拉 🧒🏽",
    "avatar": "👩🏽‍🔬",
    "invitation_code": "DEMO-A1B2C",
}


def log_in(browser: Browser, login: str, password: str = PASSWORD) -> httpx.Response:
    return browser.post("/api/auth/login", json={"login": login, "password": password})


def change_organization(database: Database, code: str, **values: Any) -> None:
    with database.begin() as session:
        session.execute(update(Organization).where(Organization.code == code).values(**values))


def test_a_newcomer_registers_logs_in_is_known_and_logs_out(anybody: Browser) -> None:
    made = anybody.post("/api/auth/register", json=NEWCOMER)
    assert made.status_code == 201
    shown = made.json()
    assert (shown["login"], shown["name"], shown["avatar"], shown["role"]) == (
        "dora@school.org",
        "多拉 🧒🏽",
        "👩🏽‍🔬",
        "user",
    )
    assert anybody.get("/api/auth/me").status_code == 401

    assert log_in(anybody, "dora@school.org", NEWCOMER["password"]).json() == shown
    assert anybody.get("/api/auth/me").json() == shown

    assert anybody.post("/api/auth/logout").status_code == 204
    assert anybody.get("/api/auth/me").status_code == 401


def test_no_answer_holds_a_password_or_its_hash(anybody: Browser) -> None:
    answers = [anybody.post("/api/auth/register", json=NEWCOMER), log_in(anybody, ALICE.login)]
    answers += [anybody.get("/api/auth/me")]
    for answer in answers:
        assert answer.is_success
        assert "argon2" not in answer.text
        assert "password" not in answer.text


def test_a_logged_out_token_is_dead_for_whoever_copied_it(service: Service) -> None:
    browser, thief = service.browser_of(ALICE), service.browser()
    thief.cookies.set(SESSION_COOKIE, browser.cookies[SESSION_COOKIE])
    assert thief.get("/api/auth/me").json()["login"] == ALICE.login
    browser.post("/api/auth/logout")
    assert thief.get("/api/auth/me").status_code == 401


def test_the_login_name_is_found_in_any_case_and_with_spaces(anybody: Browser) -> None:
    assert log_in(anybody, "  ALICE@School.ORG ").json()["id"] == ALICE.id


def test_a_phone_number_is_a_login_name(anybody: Browser) -> None:
    anybody.post("/api/auth/register", json=NEWCOMER | {"login": "13800138000"})
    answer = log_in(anybody, "13800138000", NEWCOMER["password"])
    assert answer.json()["login"] == "13800138000"


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(anybody: Browser) -> None:
    wrong = log_in(anybody, ALICE.login, "not her password")
    unknown = log_in(anybody, "nobody@school.org", "not her password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["error"] == "WrongCredentials"
    assert set(wrong.headers) == set(unknown.headers)
    assert SESSION_COOKIE not in anybody.cookies


@pytest.mark.parametrize("login", [ALICE.login, "Alice@SCHOOL.org"])
def test_a_taken_login_name_is_refused(anybody: Browser, login: str) -> None:
    answer = anybody.post("/api/auth/register", json=NEWCOMER | {"login": login})
    assert (answer.status_code, answer.json()["error"]) == (409, "LoginTaken")


# On SQLite every writer is alone.
@on_postgresql
def test_a_name_that_somebody_registers_at_this_moment_is_taken(
    anybody: Browser, database: Database
) -> None:
    answers: list[httpx.Response] = []
    loser = threading.Thread(
        target=lambda: answers.append(anybody.post("/api/auth/register", json=NEWCOMER))
    )
    with database.begin() as session:
        users.create(session, login=NEWCOMER["login"], password_hash="x")
        loser.start()
        wait_until(lambda: is_waiting(database), "the loser waits for the name")
    loser.join()
    assert [(one.status_code, one.json()["error"]) for one in answers] == [(409, "LoginTaken")]


def test_an_unknown_invitation_is_refused(anybody: Browser) -> None:
    answer = anybody.post("/api/auth/register", json=NEWCOMER | {"invitation_code": "NOPE-00000"})
    assert (answer.status_code, answer.json()["error"]) == (400, "UnknownInvitation")


def test_an_invitation_may_be_typed_in_small_letters(anybody: Browser) -> None:
    small = {"invitation_code": " demo-a1b2c "}
    assert anybody.post("/api/auth/register", json=NEWCOMER | small).status_code == 201


def test_an_invitation_may_hold_small_letters(anybody: Browser, database: Database) -> None:
    change_organization(database, "DEMO-001", invitation_code="Welcome-1")
    exact = {"invitation_code": "Welcome-1"}
    assert anybody.post("/api/auth/register", json=NEWCOMER | exact).status_code == 201


def test_a_closed_organization_ends_what_its_members_may_do(
    anybody: Browser, database: Database
) -> None:
    assert log_in(anybody, ALICE.login).is_success
    change_organization(database, "DEMO-001", is_active=False)
    answer = anybody.get("/api/diagrams")
    assert (answer.status_code, answer.json()["error"]) == (403, "OrganizationClosed")


@pytest.mark.parametrize("why", ["locked", "expired"])
def test_nobody_enters_a_closed_organization(
    anybody: Browser, database: Database, why: str
) -> None:
    past = clock.now() - timedelta(seconds=1)
    closing = {"is_active": False} if why == "locked" else {"expires_at": past}
    change_organization(database, "DEMO-001", **closing)

    for answer in (anybody.post("/api/auth/register", json=NEWCOMER), log_in(anybody, BOB.login)):
        assert (answer.status_code, answer.json()["error"]) == (403, "OrganizationClosed")
    assert SESSION_COOKIE not in anybody.cookies
    assert log_in(anybody, CHARLIE.login).is_success
    assert log_in(anybody, ROOT.login).json()["role"] == "admin"


def test_a_closed_organization_is_told_only_to_those_with_the_password(
    anybody: Browser, database: Database
) -> None:
    change_organization(database, "DEMO-001", is_active=False)
    assert log_in(anybody, BOB.login, "a guess").status_code == 401


def test_an_organization_that_expires_later_is_open(anybody: Browser, database: Database) -> None:
    change_organization(database, "DEMO-001", expires_at=clock.now() + timedelta(days=1))
    assert log_in(anybody, ALICE.login).is_success


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("login", "not a login"),
        ("login", "1380013800"),
        ("login", "a@b"),
        ("login", "x" * 250 + "@b.org"),
        ("login", "nul\x00@school.org"),
        ("password", "short"),
        ("password", "x" * 129),
        ("password", None),
        ("name", "x" * 101),
        ("name", "nul\x00"),
        ("avatar", "x" * 51),
        ("invitation_code", "abc"),
        ("invitation_code", 12345),
    ],
)
def test_a_registration_that_can_not_be_used_is_refused_with_its_field(
    anybody: Browser, field: str, value: object
) -> None:
    answer = anybody.post("/api/auth/register", json=NEWCOMER | {field: value})
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
    assert [problem["where"] for problem in answer.json()["detail"]] == [["body", field]]


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
@pytest.mark.parametrize("field", ["login", "password", "name", "avatar", "invitation_code"])
def test_half_a_surrogate_pair_is_no_text(anybody: Browser, field: str, text: str) -> None:
    answer = anybody.post("/api/auth/register", json=NEWCOMER | {field: f"{NEWCOMER[field]}{text}"})
    assert answer.status_code == 422


def test_half_a_surrogate_pair_is_no_password_to_log_in_with(anybody: Browser) -> None:
    assert log_in(anybody, ALICE.login, "\ud800").status_code == 422


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(anybody: Browser) -> None:
    header = log_in(anybody, ALICE.login).headers["set-cookie"]
    name, *flags = [part.strip().lower() for part in header.split(";")]
    assert name.startswith(f"{SESSION_COOKIE}=")
    assert {"httponly", "samesite=lax", "path=/"} <= set(flags)
    assert f"max-age={30 * 86_400}" in flags
    assert "secure" not in flags


def test_in_production_the_cookie_travels_over_tls_only(settings: Settings) -> None:
    with serving(settings.model_copy(update={"environment": "production"})) as service:
        browser = service.browser()
        header = log_in(browser, ALICE.login).headers["set-cookie"].lower()
        assert "secure" in [part.strip() for part in header.split(";")]
        assert browser.get("/api/auth/me").json()["id"] == ALICE.id


@pytest.mark.parametrize("token", ["", "guess", "x" * 43, "x" * 500, "é", "a b"])
def test_a_made_up_token_opens_nothing(anybody: Browser, token: str) -> None:
    headers = {"cookie": f"{SESSION_COOKIE}={token}".encode()}
    assert anybody.get("/api/auth/me", headers=headers).status_code in {401, 422}


def test_a_session_of_a_deleted_user_is_over(service: Service, database: Database) -> None:
    browser = service.browser_of(ROOT)
    assert browser.get("/api/auth/me").is_success
    changing = service.app.state.cache.changing(keys.user(ROOT.id))
    with changing, database.begin() as session:
        session.connection().exec_driver_sql(f"DELETE FROM users WHERE id = {ROOT.id}")
    assert browser.get("/api/auth/me").status_code == 401


def test_the_last_login_is_noted(anybody: Browser, database: Database) -> None:
    statement = f"SELECT last_login IS NULL FROM users WHERE id = {BOB.id}"
    with database.read() as session:
        assert session.connection().exec_driver_sql(statement).scalar()
    log_in(anybody, BOB.login)
    with database.read() as session:
        assert not session.connection().exec_driver_sql(statement).scalar()
