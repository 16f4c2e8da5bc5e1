"""Statistics equal what plain Python adds up, in any time zone and on both engines."""

import math
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tuned
from hypothesis import strategies as st
from sqlalchemy import delete

from app.db.session import Database
from app.usage import service
from app.usage.errors import TooManyRows
from app.usage.models import TokenUsage
from app.usage.schemas import GROUPS, Group, StatisticsAsked
from app.users.models import User
from app.users.schemas import UserOut
from tests import usage
from tests.people import ALICE, BOB, CHARLIE, ROOT

# A month in which clocks change in many zones.
FIRST, LAST = date(2025, 3, 8), date(2025, 4, 7)
EDGES = [datetime(2025, 3, 7, tzinfo=UTC), datetime(2025, 4, 9, tzinfo=UTC)]
HALF_HOURS = st.integers(0, int((EDGES[1] - EDGES[0]) / timedelta(minutes=30)))
MOMENTS = st.builds(
    lambda steps, microseconds: (
        EDGES[0] + timedelta(minutes=30) * steps + timedelta(microseconds=microseconds)
    ),
    HALF_HOURS,
    # Midnight itself, just before it, and anything.
    st.sampled_from([0, -1, 1]) | st.integers(0, 1_800_000_000),
)
PEOPLE = (ALICE, BOB, CHARLIE)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "created_at": MOMENTS,
            "user_id": st.sampled_from([None, *[person.id for person in PEOPLE]]),
            "organization_id": st.sampled_from([None, usage.SCHOOL, usage.OTHER_SCHOOL]),
            "model_provider": st.sampled_from([None, "dashscope", "volcengine"]),
            "model_name": st.sampled_from([None, "qwen-plus", "doubao-pro"]),
            "input_tokens": st.integers(0, 2**30),
            "output_tokens": st.integers(0, 2**30 - 1),
            "total_cost": st.none() | st.sampled_from([0.0, 0.25, 1.5]),
            "success": st.booleans(),
        }
    ),
    max_size=12,
)
LOGINS = {person.id: person.login for person in PEOPLE}
NAMES = {
    usage.SCHOOL: "Demo School for Testing",
    usage.OTHER_SCHOOL: "Springfield Elementary School",
}
NUMBERS = ("calls", "failures", "input_tokens", "output_tokens", "total_tokens", "total_cost")

Key = tuple[object, ...]


def root(database: Database) -> UserOut:
    with database.read() as session:
        return UserOut.model_validate(session.get(User, ROOT.id))


def replace_all(database: Database, events: list[dict[str, Any]]) -> None:
    with database.begin() as session:
        session.execute(delete(TokenUsage))
        session.add_all(
            TokenUsage(**one, total_tokens=one["input_tokens"] + one["output_tokens"])
            for one in events
        )


def key_of(one: dict[str, Any], groups: list[Group], zone: ZoneInfo) -> Key:
    values = {
        **one,
        "day": one["created_at"].astimezone(zone).date(),
        "login": LOGINS.get(one["user_id"]),
        "organization": NAMES.get(one["organization_id"]),
    }
    return tuple(values[name] for group in groups for name in GROUPS[group])


def added_up(
    events: list[dict[str, Any]], groups: list[Group], zone: ZoneInfo
) -> dict[Key, list[float]]:
    found: dict[Key, list[float]] = defaultdict(lambda: [0] * len(NUMBERS))
    for one in events:
        if not FIRST <= one["created_at"].astimezone(zone).date() <= LAST:
            continue
        tokens = one["input_tokens"], one["output_tokens"]
        cost = one["total_cost"] or 0.0
        numbers = (1, int(not one["success"]), *tokens, sum(tokens), cost)
        sums = found[key_of(one, groups, zone)]
        found[key_of(one, groups, zone)] = [a + b for a, b in zip(sums, numbers, strict=True)]
    return dict(found)


# The database is one for all examples, and emptied for each.
@tuned(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=EVENTS,
    zone=st.sampled_from(sorted(available_timezones())),
    asked=st.sets(st.sampled_from(sorted(GROUPS)), min_size=1),
)
def test_statistics_equal_a_sum_by_hand(
    database: Database, events: list[dict[str, Any]], zone: str, asked: set[Group]
) -> None:
    replace_all(database, events)
    wanted = StatisticsAsked.model_validate(
        {
            "from": FIRST.isoformat(),
            "to": LAST.isoformat(),
            "time_zone": zone,
            "group_by": ",".join(sorted(asked)),
            "scope": "everybody",
        }
    )
    found = service.statistics(database, root(database), wanted)
    expected = added_up(events, wanted.groups, ZoneInfo(zone))
    columns = [name for group in wanted.groups for name in GROUPS[group]]
    assert {
        tuple(getattr(row, name) for name in columns): [getattr(row, name) for name in NUMBERS]
        for row in found.rows
    } == expected
    assert len(found.rows) == len(expected)
    for at, name in enumerate(NUMBERS):
        assert getattr(found.totals, name) == math.fsum(sums[at] for sums in expected.values())
    if "day" in asked:
        shown = [row.day for row in found.rows if row.day]
        assert shown == sorted(shown)


def test_costs_show_no_dust_of_binary_fractions(database: Database) -> None:
    moment = datetime(2025, 3, 9, 12, tzinfo=UTC)
    with database.begin() as session:
        session.add_all([usage.row(moment, total_cost=0.1) for _ in range(3)])
    asked = StatisticsAsked.model_validate(
        {"from": "2025-03-09", "to": "2025-03-09", "scope": "everybody"}
    )
    found = service.statistics(database, root(database), asked)
    assert (found.rows[0].total_cost, found.totals.total_cost) == (0.3, 0.3)


def test_too_many_rows_are_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2025, 3, 9, 12, tzinfo=UTC)
    with database.begin() as session:
        session.add_all([usage.row(moment, model_name=str(at)) for at in range(4)])
    asked = StatisticsAsked.model_validate(
        {"from": "2025-03-09", "to": "2025-03-09", "scope": "everybody", "group_by": "model"}
    )
    monkeypatch.setattr(service, "MOST_ROWS", 4)
    assert len(service.statistics(database, root(database), asked).rows) == 4
    monkeypatch.setattr(service, "MOST_ROWS", 3)
    with pytest.raises(TooManyRows):
        service.statistics(database, root(database), asked)
