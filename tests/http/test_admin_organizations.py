import re
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app import clock
from app.auth.models import ApiKey
from app.db.session import Database
from app.organizations import service as organizations
from app.organizations.models import Organization
from app.usage.models import TokenUsage
from app.users.models import User
from tests.http.browsers import Browser, Service
from tests.http.test_accounts import NEWCOMER, log_in
from tests.people import ALICE, BOB, ROOT

PATH = "/api/admin/organizations"
OWN, OTHER, EMPTY = 1, 2, 3
SCHOOL = {"code": "gz-001", "name": "广州第一中学 🏫"}
CODE = re.compile(r"[A-Z0-9]{4}-[2-9A-HJKMNP-Z]{8}")


def make(root: Browser, **changes: Any) -> dict[str, Any]:
    answer = root.post(PATH, json=SCHOOL | changes)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def join(browser: Browser, code: str) -> int:
    answer = browser.post("/api/auth/register", json=NEWCOMER | {"invitation_code": code})
    return answer.status_code


def listed(root: Browser, **params: Any) -> list[str]:
    answer = root.get(PATH, params={"limit": 100} | params)
    return [item["code"] for item in answer.json()["items"]]


def test_a_new_organization_lets_people_in_by_its_invitation(
    root: Browser, anybody: Browser
) -> None:
    made = make(root)
    assert made | SCHOOL == made
    assert (made["is_active"], made["expires_at"], made["members"]) == (True, None, 0)
    assert CODE.fullmatch(made["invitation_code"])
    assert made["invitation_code"].startswith("GZ00-")
    assert join(anybody, made["invitation_code"]) == 201
    assert root.get(f"{PATH}/{made['id']}").json() == made | {"members": 1}


@pytest.mark.parametrize(
    ("code", "beginning"),
    [("a", "AXXX"), ("ab-c1d", "ABC1"), ("第一中学", "XXXX"), ("école", "COLE"), ("½²a", "AXXX")],
)
def test_an_invitation_begins_with_the_code_and_has_no_doubtful_letters(
    code: str, beginning: str
) -> None:
    codes = list(islice(organizations.invitations(code), 200))
    assert len(set(codes)) == 200
    for one in codes:
        assert CODE.fullmatch(one)
        assert one.startswith(f"{beginning}-")
        assert not set(one[5:]) & set("01OIL")


def test_an_invitation_that_another_organization_has_is_not_given_again(
    database: Database,
) -> None:
    with database.read() as session:
        found = organizations.free_invitation(session, iter(["DEMO-A1B2C", "DEMO-A1B2C", "FREE"]))
    assert found == "FREE"


def test_two_organizations_have_two_codes(root: Browser) -> None:
    make(root)
    answer = root.post(PATH, json=SCHOOL | {"name": "another"})
    assert (answer.status_code, answer.json()["error"]) == (409, "OrganizationCodeTaken")
    answer = root.patch(f"{PATH}/{OWN}", json={"code": "gz-001"})
    assert (answer.status_code, answer.json()["error"]) == (409, "OrganizationCodeTaken")
    assert root.patch(f"{PATH}/{OWN}", json={"code": "DEMO-001"}).is_success


def test_a_change_leaves_alone_what_it_does_not_name(root: Browser) -> None:
    made = make(root, expires_at="2031-01-01T08:00:00+08:00")
    assert made["expires_at"] == "2031-01-01T00:00:00Z"
    path = f"{PATH}/{made['id']}"
    assert root.patch(path, json={}).json() == made
    assert root.patch(path, json={"name": "新名"}).json() == made | {"name": "新名"}
    never = root.patch(path, json={"expires_at": None}).json()
    assert never == made | {"name": "新名", "expires_at": None}
    assert root.get(path).json() == never


@pytest.mark.parametrize("how", ["locked", "expired"])
def test_members_of_a_closed_organization_are_told_so_at_once(
    root: Browser, alice: Browser, manager: Browser, how: str
) -> None:
    for browser in (alice, manager):
        assert browser.get("/api/auth/me").is_success
    past = (clock.now() - timedelta(seconds=1)).isoformat()
    closing = {"is_active": False} if how == "locked" else {"expires_at": past}
    assert root.patch(f"{PATH}/{OWN}", json=closing).is_success
    for browser in (alice, manager):
        answer = browser.get("/api/auth/me")
        assert (answer.status_code, answer.json()["error"]) == (403, "OrganizationClosed")

    assert root.patch(f"{PATH}/{OWN}", json={"is_active": True, "expires_at": None}).is_success
    assert alice.get("/api/auth/me").is_success


@pytest.mark.parametrize("who", ["administrator", "manager"])
def test_a_rotated_invitation_is_dead_at_once(
    root: Browser, manager: Browser, anybody: Browser, who: str
) -> None:
    browser = root if who == "administrator" else manager
    fresh = browser.post(f"{PATH}/{OWN}/invitation").json()["invitation_code"]
    assert CODE.fullmatch(fresh)
    assert browser.get(f"{PATH}/{OWN}").json()["invitation_code"] == fresh
    assert join(anybody, "DEMO-A1B2C") == 400
    assert join(anybody, fresh) == 201


def test_without_an_invitation_nobody_can_join(root: Browser, anybody: Browser) -> None:
    for _ in range(2):
        answer = root.delete(f"{PATH}/{OWN}/invitation")
        assert (answer.status_code, answer.json()["invitation_code"]) == (200, None)
    assert join(anybody, "DEMO-A1B2C") == 400
    # A second one without a code is none that a first one stands in the way of.
    assert root.delete(f"{PATH}/{OTHER}/invitation").is_success
    assert join(anybody, root.post(f"{PATH}/{OWN}/invitation").json()["invitation_code"]) == 201


def test_an_organization_with_members_stays(root: Browser) -> None:
    answer = root.delete(f"{PATH}/{OWN}")
    assert (answer.status_code, answer.json()["error"]) == (409, "OrganizationHasMembers")
    assert answer.json()["members"] == 2
    assert root.get(f"{PATH}/{OWN}").is_success


def test_a_deleted_organization_takes_its_keys_along_and_leaves_what_was_used(
    root: Browser, database: Database
) -> None:
    now = clock.now()
    with database.begin() as session:
        for organization_id in (OWN, EMPTY):
            key = ApiKey(
                key_hash=f"{organization_id:064}",
                prefix="mg_",
                name="old",
                organization_id=organization_id,
                created_at=now,
            )
            session.add(key)
            session.flush()
            session.add(
                TokenUsage(
                    organization_id=organization_id,
                    api_key_id=key.id,
                    total_tokens=organization_id,
                    created_at=now,
                )
            )
    assert root.delete(f"{PATH}/{EMPTY}").status_code == 204
    assert root.get(f"{PATH}/{EMPTY}").status_code == 404
    with database.read() as session:
        assert session.scalars(select(ApiKey.organization_id)).all() == [OWN]
        columns = (TokenUsage.total_tokens, TokenUsage.organization_id, TokenUsage.api_key_id)
        used = session.execute(select(*columns).order_by(TokenUsage.total_tokens)).all()
    assert used[0][:2] == (OWN, OWN)
    assert used[0][2] is not None
    assert tuple(used[1]) == (EMPTY, None, None)


def test_the_pages_have_every_organization_once_and_newest_first(
    root: Browser, database: Database
) -> None:
    now = clock.now()
    with database.begin() as session:
        session.add_all(
            Organization(code=f"school {at}", name="学校", created_at=now) for at in range(25)
        )
    with database.read() as session:
        wanted = session.scalars(select(Organization.id).order_by(Organization.id.desc())).all()
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = root.get(PATH, params={"limit": 7, "cursor": cursor}).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == wanted


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("广州", ["gz-001"]),
        ("GZ-", ["gz-001"]),
        ("springfield", ["SPRING-EDU"]),
        ("first high", ["BJ-001"]),
        ("  BJ-001  ", ["BJ-001"]),
        ("100%", ["p_1"]),
        ("%", ["p_1"]),
        ("p_", ["p_1"]),
        ("_", ["p_1"]),
        ("/", []),
        ("'; --", []),
    ],
)
def test_an_organization_is_found_by_a_part_of_its_name_or_code(
    root: Browser, q: str, found: list[str]
) -> None:
    make(root)
    make(root, code="p_1", name="100% 学校")
    assert listed(root, q=q) == found
    assert len(listed(root, q=" ")) == 6


@pytest.mark.parametrize("limit", [1, 4])
def test_a_list_takes_as_many_queries_however_long_it_is(
    service: Service, root: Browser, limit: int
) -> None:
    root.get("/api/auth/me")
    with service.statements() as seen:
        assert len(root.get(PATH, params={"limit": limit}).json()["items"]) == limit
    selects = [statement for statement in seen if statement.startswith("SELECT")]
    # The page, and the members of all in it. Who asks is in the cache.
    assert len(selects) == 2, selects


def test_members_are_counted(root: Browser) -> None:
    members = {item["code"]: item["members"] for item in root.get(PATH).json()["items"]}
    assert members == {"DEMO-001": 2, "SPRING-EDU": 1, "BJ-001": 0, "SH-042": 0}


def test_a_manager_who_manages_nothing_may_do_nothing(service: Service, database: Database) -> None:
    """The service makes none; an old database may have one."""
    nothing = {"role": "manager", "organization_id": None}
    with database.begin() as session:
        session.execute(update(User).where(User.id == BOB.id).values(nothing))
    browser = service.browser_of(BOB)
    for path in (f"{PATH}/{OWN}", "/api/admin/users", f"/api/admin/users/{ALICE.id}"):
        answer = browser.get(path)
        assert (answer.status_code, answer.json()["error"]) == (403, "NotAManager")


def test_a_deleted_organization_is_no_longer_where_somebody_logs_in(
    root: Browser, anybody: Browser, database: Database
) -> None:
    for person in (ALICE, BOB):
        assert root.patch(
            f"/api/admin/users/{person.id}", json={"organization_id": None}
        ).is_success
    assert root.delete(f"{PATH}/{OWN}").status_code == 204
    assert log_in(anybody, ALICE.login).is_success
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Organization)) == 3


@pytest.mark.parametrize("how", ["locked", "expired"])
def test_an_administrator_can_open_the_own_organization_again(
    service: Service, root: Browser, how: str
) -> None:
    assert root.patch(f"/api/admin/users/{ROOT.id}", json={"organization_id": OWN}).is_success
    past = (clock.now() - timedelta(seconds=1)).isoformat()
    closing = {"is_active": False} if how == "locked" else {"expires_at": past}
    assert root.patch(f"{PATH}/{OWN}", json=closing).is_success

    assert root.get("/api/auth/me").is_success
    later = service.browser()
    assert log_in(later, ROOT.login).is_success
    opening = {"is_active": True, "expires_at": None}
    assert later.patch(f"{PATH}/{OWN}", json=opening).is_success
