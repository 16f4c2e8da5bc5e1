from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.usage import days
from app.usage.errors import InvalidPeriod, UnknownTimeZone

NOW = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)
START, END = (datetime(year, 1, 5, tzinfo=UTC).timestamp() for year in (2011, 2036))
ZONES = sorted(available_timezones())


def test_without_days_it_is_the_30_up_to_today_in_the_time_zone() -> None:
    found = days.period(None, None, "Asia/Shanghai", NOW)
    assert (found.first, found.last) == (date(2026, 2, 1), date(2026, 3, 2))
    assert found.midnights[0] == datetime(2026, 1, 31, 16, tzinfo=UTC)
    assert len(found.midnights) == 31
    assert days.period(None, None, "UTC", NOW).last == date(2026, 3, 1)
    assert days.period(date(2026, 2, 28), None, "UTC", NOW).last == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("UTC", date(2026, 1, 1), "2026-01-01T00:00", 24),
        ("Asia/Kathmandu", date(2026, 1, 1), "2025-12-31T18:15", 24),
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00", 23),
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00", 25),
        # Half an hour.
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00", 24.5),
        # Midnight is put forward to one o'clock, and so doesn't exist.
        ("Asia/Beirut", date(2026, 3, 29), "2026-03-28T22:00", 23),
        # Midnight comes twice.
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00", 25),
        # A day that didn't exist.
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00", 0),
    ],
)
def test_a_day_begins_when_clocks_of_the_zone_show_it_first(
    zone: str, day: date, begins: str, hours: float
) -> None:
    found = days.period(day, day, zone, NOW).midnights
    assert found[0] == datetime.fromisoformat(f"{begins}+00:00")
    assert found[1] - found[0] == timedelta(hours=hours)


@given(
    zone=st.sampled_from(ZONES),
    moment=st.floats(START, END).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_each_moment_lies_in_the_day_that_clocks_of_the_zone_show(
    zone: str, moment: datetime
) -> None:
    day = moment.astimezone(ZoneInfo(zone)).date()
    begins, ends = days.period(day, day, zone, NOW).midnights
    assert begins <= moment < ends


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "utc ", "+08:00"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(UnknownTimeZone):
        days.period(None, None, zone, NOW)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2026, 1, 2), date(2026, 1, 1), "ends before it begins"),
        (date(2026, 3, 3), None, "ends before it begins"),
        (date(2025, 1, 1), date(2026, 1, 2), "367 days"),
        (None, date.min, "must lie between"),
        (None, date.max, "must lie between"),
        (date.min, None, "must lie between"),
        (date.max, date(2026, 1, 1), "must lie between"),
    ],
)
def test_a_period_that_can_not_be_is_told_in_a_sentence(
    first: date | None, last: date | None, said: str
) -> None:
    with pytest.raises(InvalidPeriod, match=said):
        days.period(first, last, "Asia/Shanghai", NOW)


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-14", "America/Toronto"])
@pytest.mark.parametrize("day", [days.FIRST_DAY, days.LAST_DAY])
def test_the_first_and_the_last_day_can_be_asked_for(zone: str, day: date) -> None:
    assert days.period(day, day, zone, NOW).first == day
    assert days.period(None, day, zone, NOW).last == day


def test_a_leap_year_is_not_too_long() -> None:
    found = days.period(date(2024, 1, 1), date(2024, 12, 31), "Europe/Berlin", NOW)
    assert len(found.midnights) == 367
