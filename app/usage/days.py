"""Days in a time zone as moments, so that the database needs to know no time zone."""

import functools
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.usage.errors import InvalidPeriod, UnknownTimeZone

MOST_DAYS = 366
DEFAULT_DAYS = 30
# Beyond them a moment may have no UTC, and there is no usage.
FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(2200, 1, 1)


@dataclass(frozen=True)
class Period:
    """Some days, the last one included.

    `midnights` has the moment at which each of them begins, and the end of the last one.
    """

    first: date
    last: date
    midnights: Sequence[datetime]


def period(first: date | None, last: date | None, time_zone: str, now: datetime) -> Period:
    """The days from the first to the last; by default, the 30 days up to the last, or to today.

    Raises:
        UnknownTimeZone, InvalidPeriod.
    """
    if time_zone not in _time_zones():
        raise UnknownTimeZone
    zone = zoneinfo.ZoneInfo(time_zone)
    last = last or now.astimezone(zone).date()
    if not FIRST_DAY <= last <= LAST_DAY or not FIRST_DAY <= (first or last) <= LAST_DAY:
        raise InvalidPeriod(f"The days must lie between {FIRST_DAY} and {LAST_DAY}.")
    first = first or last - timedelta(days=DEFAULT_DAYS - 1)
    days = (last - first).days + 1
    if days < 1:
        raise InvalidPeriod(f"The period ends before it begins: {first} is after {last}.")
    if days > MOST_DAYS:
        raise InvalidPeriod(f"The period has {days} days; {MOST_DAYS} are allowed.")
    midnights = [_midnight(first + timedelta(days=at), zone) for at in range(days + 1)]
    return Period(first, last, midnights)


def _midnight(day: date, zone: zoneinfo.ZoneInfo) -> datetime:
    """When a day begins.

    Where clocks are put forward at midnight, 00:00 doesn't exist, and is taken in the time before:
    that is the very moment of the change. (Until 2010, three zones put clocks back across midnight
    shortly after it; the hour that they had twice counts to the later day there.)
    """
    return datetime.combine(day, time.min, zone).astimezone(UTC)


@functools.cache
def _time_zones() -> frozenset[str]:
    # Not at import: it reads a folder with hundreds of files.
    return frozenset(zoneinfo.available_timezones())
