import csv
import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.clock import now
from app.db.session import Database
from app.usage.errors import RecorderFull
from app.users.models import User
from tests import usage
from tests.http.browsers import Browser, Service
from tests.people import ALICE, BOB, CHARLIE, ROOT

STATISTICS = "/api/usage/statistics"
JANUARY = {"from": "2026-01-01", "to": "2026-01-31"}
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def root(service: Service) -> Browser:
    return service.browser_of(ROOT)


@pytest.fixture
def manager(service: Service, database: Database) -> Browser:
    """Bob, who manages alice's school."""
    with database.begin() as session:
        session.execute(update(User).where(User.id == BOB.id).values(role="manager"))
    return service.browser_of(BOB)


@pytest.fixture
def january(database: Database) -> None:
    """Usage of everybody in January 2026."""
    school, other = {"organization_id": usage.SCHOOL}, {"organization_id": usage.OTHER_SCHOOL}
    with database.begin() as session:
        session.add_all(
            [
                usage.row(NOON, ALICE, total_tokens=1, model_name="qwen-plus", **school),
                usage.row(NOON, ALICE, total_tokens=2, model_name="=1+1", success=False, **school),
                # Already the 16th in Shanghai.
                usage.row(NOON + timedelta(hours=6), BOB, total_tokens=4, **school),
                usage.row(NOON, CHARLIE, total_tokens=8, **other),
                usage.row(NOON - timedelta(days=40), ALICE, total_tokens=16, **school),
            ]
        )


def record(browser: Browser, *events: dict[str, Any]) -> Any:
    return browser.post("/api/usage", json={"events": events})


def ask(browser: Browser, **params: object) -> Any:
    answer = browser.get(STATISTICS, params=JANUARY | params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def cells(browser: Browser, **params: object) -> Iterator[list[str]]:
    answer = browser.get(STATISTICS, params=JANUARY | {"format": "csv"} | params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    yield from csv.reader(io.StringIO(answer.text, newline=""))


def test_one_records_ones_own_usage(alice: Browser, database: Database) -> None:
    sent = {
        "model_provider": "dashscope",
        "model_name": "通义千问 🌱",
        "input_tokens": 3,
        "output_tokens": 4,
        "input_cost": 0.25,
        "response_time": 0.5,
        "success": False,
        "created_at": "2026-01-15T20:00:00+08:00",
    }
    answer = record(alice, sent)
    assert (answer.status_code, answer.json()) == (201, {"recorded": 1, "duplicates": 0})
    (row,) = usage.stored(database)
    assert row.created_at == NOON
    assert (row.user_id, row.organization_id, row.api_key_id) == (ALICE.id, usage.SCHOOL, None)
    assert (row.model_name, row.total_tokens, row.total_cost) == ("通义千问 🌱", 7, 0.25)
    assert (row.success, row.response_time) == (False, 0.5)
    assert row.event_id
    assert uuid.UUID(row.event_id)


def test_without_a_time_it_is_now(alice: Browser, database: Database) -> None:
    before = now()
    record(alice, {})
    (row,) = usage.stored(database)
    assert before <= row.created_at <= now()


def test_what_is_sent_again_counts_once_in_whatever_writing(
    alice: Browser, bob: Browser, database: Database
) -> None:
    event_id = uuid.uuid4()
    first = record(alice, {"event_id": str(event_id), "input_tokens": 1})
    again = record(alice, {"event_id": str(event_id).upper(), "input_tokens": 1}, {})
    strange = record(bob, {"event_id": event_id.hex, "input_tokens": 9})
    assert first.json() == {"recorded": 1, "duplicates": 0}
    assert again.json() == {"recorded": 1, "duplicates": 1}
    assert strange.json() == {"recorded": 0, "duplicates": 1}
    assert [row.user_id for row in usage.stored(database)] == [ALICE.id] * 2


@pytest.mark.parametrize(
    "event",
    [
        {"user_id": BOB.id},
        {"organization_id": 2},
        {"input_token": 1},
        {"event_id": "1"},
        {"input_tokens": -1},
        {"input_tokens": 2**31},
        {"input_tokens": 2**30, "output_tokens": 2**30},
        {"input_tokens": "many"},
        {"total_cost": -0.01},
        {"total_cost": 1e10},
        {"response_time": -1},
        {"success": "perhaps"},
        {"model_name": "x" * 101},
        {"model_name": "a\x00b"},
        {"model_name": "\ud83d"},
        {"created_at": "1999-12-31T23:59:59Z"},
        {"created_at": "2026-01-15T12:00:00"},
        {"created_at": "9999-12-31T23:59:59-12:00"},
        {"created_at": "2200-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_a_broken_event_is_refused_with_its_place(
    alice: Browser, database: Database, event: dict[str, Any]
) -> None:
    answer = record(alice, {}, event)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["where"][:3] == ["body", "events", 1]
    assert usage.stored(database) == []


@pytest.mark.parametrize(("minutes", "status"), [(4, 201), (6, 422)])
def test_clocks_of_clients_may_be_a_little_ahead(alice: Browser, minutes: int, status: int) -> None:
    ahead = now() + timedelta(minutes=minutes)
    assert record(alice, {"created_at": ahead.isoformat()}).status_code == status


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_cost_is_a_number(alice: Browser, number: str) -> None:
    body = f'{{"events": [{{"total_cost": {number}}}]}}'
    answer = alice.post("/api/usage", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_has_1_to_500_events(alice: Browser, database: Database, count: int) -> None:
    assert record(alice, *[{}] * count).status_code == 422
    assert record(alice, *[{}] * 500).json() == {"recorded": 500, "duplicates": 0}
    assert len(usage.stored(database)) == 500


def test_a_full_recorder_asks_to_come_again(
    alice: Browser, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.app.state.recorder, "waiting", 10_000)
    answer = record(alice, {})
    assert (answer.status_code, answer.json()["error"]) == (503, RecorderFull.__name__)
    assert answer.headers["retry-after"]


def test_nobody_is_counted_who_is_not_logged_in(anybody: Browser, database: Database) -> None:
    assert record(anybody, {}).status_code == 401
    assert anybody.get(STATISTICS).status_code == 401
    assert usage.stored(database) == []


@pytest.mark.usefixtures("january")
def test_one_sees_ones_own_sums_by_day(alice: Browser) -> None:
    found = ask(alice)
    sums = {
        "calls": 2,
        "failures": 1,
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 3,
        "total_cost": 0.0,
    }
    assert found == {
        **JANUARY,
        "time_zone": "UTC",
        "rows": [{"day": "2026-01-15", **sums}],
        "totals": sums,
    }


@pytest.mark.usefixtures("january")
def test_days_are_those_of_the_time_zone(manager: Browser) -> None:
    for zone, day in {"Asia/Shanghai": "2026-01-16", "America/New_York": "2026-01-15"}.items():
        assert [row["day"] for row in ask(manager, time_zone=zone)["rows"]] == [day]


@pytest.mark.usefixtures("january")
def test_groups_come_in_one_order_with_their_names(root: Browser) -> None:
    found = ask(root, scope="everybody", group_by="organization,day,user,day")
    assert [list(row)[:5] for row in found["rows"]] == [
        ["day", "user_id", "login", "organization_id", "organization"]
    ] * 3
    assert [(row["login"], row["organization"]) for row in found["rows"]] == [
        (ALICE.login, "Demo School for Testing"),
        (BOB.login, "Demo School for Testing"),
        (CHARLIE.login, "Springfield Elementary School"),
    ]
    assert found["totals"]["total_tokens"] == 15


@pytest.mark.usefixtures("january")
def test_who_sees_whose_usage(alice: Browser, manager: Browser, root: Browser) -> None:
    ours, theirs = {"organization_id": usage.SCHOOL}, {"organization_id": usage.OTHER_SCHOOL}
    organization, everybody = {"scope": "organization"}, {"scope": "everybody"}
    allowed: list[tuple[Browser, dict[str, Any], int]] = [
        (alice, {"scope": "mine"}, 3),
        # It is no question of scope "mine".
        (alice, {"scope": "mine"} | theirs, 3),
        (manager, {"scope": "mine"}, 4),
        (manager, organization, 7),
        (manager, organization | ours, 7),
        (root, organization | ours, 7),
        (root, organization | theirs, 8),
        (root, everybody, 15),
        (root, {}, 0),
    ]
    for browser, params, tokens in allowed:
        assert ask(browser, **params)["totals"]["total_tokens"] == tokens, params
    forbidden = [
        (alice, organization),
        (alice, organization | ours),
        (alice, everybody),
        (manager, organization | theirs),
        (manager, everybody),
    ]
    for browser, asked in forbidden:
        answer = browser.get(STATISTICS, params=asked)
        assert (answer.status_code, answer.json()["error"]) == (403, "StatisticsForbidden"), asked
    assert root.get(STATISTICS, params=organization).status_code == 400


def test_a_manager_without_an_organization_has_none_to_see(
    service: Service, database: Database
) -> None:
    with database.begin() as session:
        values = {"role": "manager", "organization_id": None}
        session.execute(update(User).where(User.id == BOB.id).values(values))
    answer = service.browser_of(BOB).get(STATISTICS, params={"scope": "organization"})
    assert answer.status_code == 403


@pytest.mark.usefixtures("january")
def test_statistics_as_csv(alice: Browser, root: Browser) -> None:
    header, *rows = cells(alice, group_by="day,model")
    assert header[:3] == ["day", "model_provider", "model_name"]
    assert sorted(rows) == [
        ["2026-01-15", "", "'=1+1", "1", "1", "0", "0", "2", "0"],
        ["2026-01-15", "", "qwen-plus", "1", "0", "0", "0", "1", "0"],
    ]
    assert len(list(cells(root))) == 1
    answer = alice.get(STATISTICS, params=JANUARY | {"format": "csv"})
    assert answer.headers["content-disposition"] == (
        'attachment; filename="usage-2026-01-01-2026-01-31.csv"'
    )


@pytest.mark.parametrize(
    ("params", "status", "said"),
    [
        ({"from": "yesterday"}, 422, "must be a date"),
        ({"from": "1767225600"}, 422, "must be a date"),
        ({"to": "2026-02-30"}, 422, "date"),
        ({"group_by": "hour"}, 422, "pattern"),
        ({"group_by": ""}, 422, "pattern"),
        ({"scope": "all"}, 422, "mine"),
        ({"format": "xml"}, 422, "json"),
        ({"organization_id": "0"}, 422, "greater"),
        ({"organization_id": str(2**31)}, 422, "less"),
        ({"time_zone": "x" * 65}, 422, "64"),
        ({"time_zone": "Mars/Olympus"}, 400, "Asia/Shanghai"),
        ({"time_zone": "\x00"}, 400, "Asia/Shanghai"),
        ({"from": "2026-02-01"}, 400, "ends before it begins"),
        ({"from": "2024-01-01"}, 400, "366 are allowed"),
        ({"from": "0001-01-01"}, 400, "must lie between"),
    ],
    ids=str,
)
def test_a_question_that_can_not_be_answered_is_told_in_a_sentence(
    alice: Browser, params: dict[str, str], status: int, said: str
) -> None:
    answer = alice.get(STATISTICS, params=JANUARY | params)
    assert answer.status_code == status, answer.text
    assert said in json.dumps(answer.json())


@pytest.mark.usefixtures("january")
def test_statistics_take_three_statements_however_many_rows_there_are(
    service: Service, root: Browser, database: Database
) -> None:
    def count() -> int:
        with service.statements() as seen:
            ask(root, scope="everybody", group_by="day,user,organization,model")
        return sum("FROM token_usage" in one or "IN (" in one for one in seen)

    before = count()
    with database.begin() as session:
        session.add_all(
            [usage.row(NOON + timedelta(days=at % 10), BOB, model_name=str(at)) for at in range(60)]
        )
    assert before == count() == 3
