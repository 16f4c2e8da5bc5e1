from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from app import clock
from app.auth import attempts
from app.auth.models import PasswordReset
from app.db.session import Database
from app.users.models import User
from tests.http.browsers import Browser, Service
from tests.http.test_diagrams import save
from tests.people import ALICE, BOB, CHARLIE, ROOT

PATH = "/api/admin/users"
OWN, OTHER, EMPTY = 1, 2, 3


def outcome(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def change(browser: Browser, user_id: int, **values: Any) -> httpx.Response:
    return browser.patch(f"{PATH}/{user_id}", json=values)


def page_through(browser: Browser, **params: Any) -> list[int]:
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = browser.get(PATH, params=params | {"cursor": cursor}).json()
        assert len(page["items"]) <= params["limit"]
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    return seen


def found(browser: Browser, **params: Any) -> list[str]:
    answer = browser.get(PATH, params={"limit": 100} | params)
    assert answer.status_code == 200, answer.text
    return sorted(item["login"] for item in answer.json()["items"])


def add(database: Database, count: int, **values: Any) -> None:
    """Users of one moment, so that only their ids tell them apart."""
    shared = {"password_hash": "-", "organization_id": OWN, "created_at": clock.now()} | values
    with database.begin() as session:
        session.add_all(User(login=f"pupil{at}@school.org", **shared) for at in range(count))


@pytest.fixture
def locked(cache: redis.Redis) -> None:
    """Alice's login name, by as many wrong passwords as it takes."""
    for _ in range(attempts.FREE_FAILURES):
        attempts.note_failure(cache, ALICE.login)


@hypothesis_settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 100), role=st.sampled_from([None, "user", "admin"]))
def test_the_pages_have_every_user_once_and_newest_first(
    root: Browser, database: Database, limit: int, role: str | None
) -> None:
    with database.read() as session:
        there = session.scalar(select(User.id).where(User.login == "pupil0@school.org"))
    if there is None:
        add(database, 40)
    wanted = select(User.id).order_by(User.id.desc())
    if role:
        wanted = wanted.where(User.role == role)
    with database.read() as session:
        expected = session.scalars(wanted).all()
    params = {"role": role} if role else {}
    assert page_through(root, limit=limit, **params) == expected


def test_paging_goes_on_while_others_come_and_go(root: Browser, database: Database) -> None:
    add(database, 20)
    first = root.get(PATH, params={"limit": 10}).json()
    ids = [item["id"] for item in first["items"]]
    root.delete(f"{PATH}/{ids[3]}")
    root.delete(f"{PATH}/{ids[9]}")
    with database.begin() as session:
        session.add(User(login="new@x.org", password_hash="-", created_at=clock.now()))
    params = {"limit": 10, "cursor": first["next_cursor"]}
    second = [item["id"] for item in root.get(PATH, params=params).json()["items"]]
    assert second == [ids[9] - at for at in range(1, 11)]


@pytest.mark.parametrize(
    ("q", "logins"),
    [
        ("丽丝", [ALICE.login]),
        ("👩‍🏫", [ALICE.login]),
        ("SCHOOL.org", [ALICE.login, BOB.login, "p_t@school.org"]),
        ("charlie", [CHARLIE.login]),
        (" Root ", [ROOT.login]),
        ("100%", ["p_t@school.org"]),
        ("%", ["p_t@school.org"]),
        ("_", ["p_t@school.org"]),
        ("\\", []),
        ("/", []),
        ("nobody", []),
    ],
)
def test_a_user_is_found_by_a_part_of_the_name_or_login(
    root: Browser, database: Database, q: str, logins: list[str]
) -> None:
    with database.begin() as session:
        odd = User(login="p_t@school.org", password_hash="-", name="100%", created_at=clock.now())
        session.add(odd)
    assert found(root, q=q) == logins


def test_filters_narrow_the_list_together(root: Browser) -> None:
    assert found(root, organization_id=OWN) == [ALICE.login, BOB.login]
    assert found(root, role="admin") == [ROOT.login]
    assert found(root, role="user", q="org", organization_id=OTHER) == [CHARLIE.login]
    assert found(root, organization_id=4711) == []


def test_no_list_tells_a_password(root: Browser) -> None:
    for path in (PATH, f"{PATH}/{ALICE.id}"):
        text = root.get(path).text
        assert "argon2" not in text
        assert "password" not in text
        assert "epoch" not in text


@pytest.mark.parametrize("limit", [2, 30])
def test_a_list_takes_one_query_however_long_it_is(
    service: Service, root: Browser, database: Database, limit: int
) -> None:
    add(database, 30)
    root.get("/api/auth/me")
    with service.statements() as seen:
        assert len(root.get(PATH, params={"limit": limit}).json()["items"]) == limit
    selects = [statement for statement in seen if statement.startswith("SELECT")]
    # Who asks is in the cache.
    assert len(selects) == 1, selects


def test_a_manager_sees_the_members_of_the_own_school(manager: Browser) -> None:
    assert found(manager) == found(manager, organization_id=OWN) == [ALICE.login, BOB.login]
    assert found(manager, q="charlie") == []
    assert found(manager, role="admin") == []
    answer = manager.get(PATH, params={"organization_id": OTHER})
    assert outcome(answer) == (404, "OrganizationNotFound")


def test_a_cursor_of_an_administrator_shows_a_manager_no_more(
    root: Browser, manager: Browser
) -> None:
    cursor = root.get(PATH, params={"limit": 1}).json()["next_cursor"]
    page = manager.get(PATH, params={"cursor": cursor}).json()
    assert [item["id"] for item in page["items"]] == [BOB.id, ALICE.id]


def test_one_user_is_shown_with_what_there_is(root: Browser, alice: Browser) -> None:
    gone, _ = save(alice), save(alice)
    save(alice)
    alice.delete(f"/api/diagrams/{gone}")
    shown = root.get(f"{PATH}/{ALICE.id}").json()
    assert (shown["diagrams"], shown["diagrams_in_trash"]) == (2, 1)
    assert (shown["login"], shown["name"]) == (ALICE.login, ALICE.name)
    assert shown["locked_until"] is None


@pytest.mark.usefixtures("locked")
def test_a_locked_login_is_seen_and_unlocked(
    root: Browser, manager: Browser, cache: redis.Redis
) -> None:
    shown = root.get(f"{PATH}/{ALICE.id}").json()["locked_until"]
    assert datetime.fromisoformat(shown) > clock.now()
    locks = {item["id"]: item["locked_until"] for item in manager.get(PATH).json()["items"]}
    assert locks[ALICE.id] is not None
    assert locks[BOB.id] is None

    assert manager.post(f"{PATH}/{ALICE.id}/unlock").status_code == 204
    assert root.get(f"{PATH}/{ALICE.id}").json()["locked_until"] is None
    attempts.admit(cache, ALICE.login)


@pytest.mark.parametrize("action", ["unlock", "password-reset"])
@pytest.mark.parametrize("role", ["manager", "admin"])
def test_a_manager_may_do_it_for_plain_members_only(
    root: Browser, manager: Browser, action: str, role: str
) -> None:
    assert change(root, ALICE.id, role=role).is_success
    for user_id in (ALICE.id, BOB.id):
        answer = manager.post(f"{PATH}/{user_id}/{action}")
        assert outcome(answer) == (403, "NotAPlainMember")
        assert root.post(f"{PATH}/{user_id}/{action}").is_success


def test_a_reset_link_is_shown_once_and_kept_by_its_hash(
    root: Browser, database: Database, service: Service
) -> None:
    before = clock.now()
    first = root.post(f"{PATH}/{ALICE.id}/password-reset")
    link = root.post(f"{PATH}/{ALICE.id}/password-reset").json()
    assert first.status_code == 201
    assert first.json()["token"] != link["token"]
    assert link["path"] == f"/reset-password?token={link['token']}"
    with database.read() as session:
        (kept,) = session.scalars(select(PasswordReset)).all()
    assert kept.user_id == ALICE.id
    assert link["token"] not in str(vars(kept))
    span = timedelta(hours=service.settings.reset_link_hours)
    assert before + span <= datetime.fromisoformat(link["expires_at"]) <= kept.expires_at


@pytest.mark.parametrize(
    ("values", "open_links"),
    [
        ({"role": "admin"}, 0),
        ({"organization_id": OTHER}, 0),
        ({"name": "Alice"}, 1),
        ({"role": "user"}, 1),
    ],
)
def test_a_link_from_a_manager_is_void_for_who_became_somebody_else(
    root: Browser,
    manager: Browser,
    database: Database,
    values: dict[str, Any],
    open_links: int,
) -> None:
    assert manager.post(f"{PATH}/{ALICE.id}/password-reset").status_code == 201
    assert change(root, ALICE.id, **values).is_success
    with database.read() as session:
        assert len(session.scalars(select(PasswordReset)).all()) == open_links


def test_a_change_leaves_alone_what_it_does_not_name(root: Browser) -> None:
    before = root.get(f"{PATH}/{ALICE.id}").json()
    for values in ({}, {"name": "Alice"}, {"organization_id": None}, {"name": None}):
        before |= values
        answer = change(root, ALICE.id, **values)
        assert answer.json().items() <= before.items()
        assert root.get(f"{PATH}/{ALICE.id}").json() == before


def test_a_new_role_holds_from_the_next_request_on(root: Browser, alice: Browser) -> None:
    assert alice.get(PATH).status_code == 403
    assert change(root, ALICE.id, role="manager").json()["role"] == "manager"
    assert alice.get(PATH).is_success
    assert change(root, ALICE.id, role="admin").is_success
    assert alice.get("/api/admin/audit").is_success
    assert change(root, ALICE.id, role="user").is_success
    assert alice.get(PATH).status_code == 403


def test_a_manager_has_an_organization(root: Browser) -> None:
    assert outcome(change(root, ROOT.id, organization_id=4711)) == (400, "UnknownOrganization")
    nowhere = {"role": "manager", "organization_id": None}
    assert outcome(change(root, ALICE.id, **nowhere)) == (409, "ManagerNeedsOrganization")
    assert root.get(f"{PATH}/{ALICE.id}").json()["role"] == "user"

    assert change(root, ALICE.id, organization_id=None).is_success
    assert outcome(change(root, ALICE.id, role="manager")) == (409, "ManagerNeedsOrganization")
    assert change(root, ALICE.id, role="manager", organization_id=EMPTY).is_success
    answer = change(root, ALICE.id, organization_id=None)
    assert outcome(answer) == (409, "ManagerNeedsOrganization")


def test_the_last_administrator_stays(root: Browser) -> None:
    for answer in (
        change(root, ROOT.id, role="user"),
        change(root, ROOT.id, role="manager", organization_id=OWN),
        root.delete(f"{PATH}/{ROOT.id}"),
    ):
        assert outcome(answer) == (409, "LastAdministrator")
    assert change(root, ROOT.id, role="admin", name="Still here").is_success

    assert change(root, ALICE.id, role="admin").is_success
    assert change(root, ROOT.id, role="user").is_success
    assert root.get(PATH).status_code == 403


def test_one_may_delete_oneself_unless_one_is_the_last_administrator(
    root: Browser, service: Service
) -> None:
    assert change(root, ALICE.id, role="admin").is_success
    assert root.delete(f"{PATH}/{ROOT.id}").status_code == 200
    assert root.get("/api/auth/me").status_code == 401
    (event, *_) = service.browser_of(ALICE).get("/api/admin/audit").json()["items"]
    assert (event["action"], event["actor_id"], event["actor"]) == (
        "user.delete",
        None,
        ROOT.login,
    )


def test_the_sessions_of_a_deleted_user_end(root: Browser, alice: Browser) -> None:
    assert alice.get("/api/auth/me").is_success
    assert root.delete(f"{PATH}/{ALICE.id}").status_code == 200
    assert alice.get("/api/auth/me").status_code == 401
    assert root.get(f"{PATH}/{ALICE.id}").status_code == 404


def test_a_logged_out_user_is_logged_out_everywhere(
    service: Service, root: Browser, alice: Browser, bob: Browser
) -> None:
    elsewhere = service.browser_of(ALICE)
    for browser in (alice, elsewhere, bob):
        assert browser.get("/api/auth/me").is_success
    assert root.post(f"{PATH}/{ALICE.id}/logout").status_code == 204
    for browser in (alice, elsewhere):
        assert browser.get("/api/auth/me").status_code == 401
    assert bob.get("/api/auth/me").is_success


def test_a_change_is_no_longer_in_the_cache(root: Browser, alice: Browser) -> None:
    assert alice.get("/api/auth/me").json()["name"] == ALICE.name
    assert change(root, ALICE.id, name="Alice").is_success
    assert alice.get("/api/auth/me").json()["name"] == "Alice"


def test_a_user_without_a_name_is_listed(root: Browser, database: Database) -> None:
    with database.begin() as session:
        session.execute(update(User).where(User.id == CHARLIE.id).values(name=None))
    assert CHARLIE.login in found(root)
    assert found(root, q="charlie") == [CHARLIE.login]
