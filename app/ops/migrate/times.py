"""Dates and times for PostgreSQL's types, each the same instant or refused.

Text is `YYYY-MM-DD`, or that, a space or `T`, and `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, and
then perhaps an offset: `Z`, `+HH`, `+HHMM` or `+HH:MM`. Without an offset it is UTC. Digits beyond
microseconds must be zeros. Words such as `now`, 24:00, a 60th second, the year 0 and days that no
calendar has are refused.

A number is Unix time: seconds from 100,000,000 (in 1973) and milliseconds from 1,000,000,000,000
(in 2001), both to the end of 2199. Any other number could as well be a year, a Julian day, a count
of days, or a date's digits such as 20240131, and is refused.

A column of dates takes a time only when it is midnight in UTC; a column of times takes no dates.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from app.ops.migrate.unstorable import Unstorable

Value = int | float | str | bytes
Moment = Literal["timestamptz", "timestamp", "date", "time"]

LONGEST = 100
CLOCK = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
OFFSET = r"(?: ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?))?"
DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]" + CLOCK + OFFSET + ")?")
TIME = re.compile(CLOCK + OFFSET)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SECOND = 100_000_000
FIRST_MILLISECOND = 1_000_000_000_000
# 2200-01-01.
END = 7_258_118_400
# The largest offset that PostgreSQL takes is below 16 hours.
LARGEST_OFFSET = timedelta(hours=16)


def convert(value: Value, kind: Moment) -> str:
    if isinstance(value, bytes):
        raise Unstorable("binary data in a column of times")
    if kind == "time":
        return _time(value)
    instant, offset = _from_text(value) if isinstance(value, str) else (_from_number(value), None)
    if kind == "date":
        return _date(instant, offset)
    written = instant.replace(tzinfo=None).isoformat(" ")
    return written + "+00" if kind == "timestamptz" else written


def _date(instant: datetime, offset: timedelta | None) -> str:
    if offset:
        raise Unstorable("a time with an offset in a column of dates")
    if instant.timetz() != EPOCH.timetz():
        raise Unstorable("a time that is not midnight in a column of dates")
    return instant.date().isoformat()


def _time(value: int | float | str) -> str:
    if not isinstance(value, str):
        raise Unstorable("a number in a column of times of day")
    found = TIME.fullmatch(value) if len(value) <= LONGEST else None
    if found is None:
        raise Unstorable("text that is not a time of day in a known form")
    hour, minute, second, fraction, zone = found.groups()
    if _offset(zone):
        raise Unstorable("an offset in a column of times of day")
    try:
        made = EPOCH.replace(hour=int(hour), minute=int(minute), second=int(second or 0))
    except ValueError as error:
        raise Unstorable("a time that no clock shows") from error
    return made.replace(microsecond=_microseconds(fraction)).time().isoformat()


def _from_text(value: str) -> tuple[datetime, timedelta | None]:
    """The instant in UTC, and the offset that it was written with."""
    found = DAY.fullmatch(value) if len(value) <= LONGEST else None
    if found is None:
        raise Unstorable("text that is not a date or time in a known form")
    *parts, fraction, zone = found.groups()
    offset = _offset(zone)
    microsecond = _microseconds(fraction)
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    try:
        made = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)
    except ValueError as error:
        raise Unstorable("a date or time that no calendar or clock shows") from error
    try:
        return made - (offset or timedelta()), offset
    except OverflowError as error:
        raise Unstorable("a time that is outside of the years 1 to 9999 in UTC") from error


def _microseconds(fraction: str | None) -> int:
    if fraction is None:
        return 0
    if fraction[6:].strip("0"):
        raise Unstorable("a time with digits beyond microseconds")
    return int(fraction[:6].ljust(6, "0"))


def _offset(zone: str | None) -> timedelta | None:
    if zone is None or zone == "Z":
        return None
    minutes = int(zone[3:].removeprefix(":") or 0)
    offset = timedelta(hours=int(zone[1:3]), minutes=minutes)
    if minutes > 59 or offset >= LARGEST_OFFSET:
        raise Unstorable("a time with an offset that no place has")
    return -offset if zone[0] == "-" else offset


def _from_number(value: int | float) -> datetime:
    if FIRST_SECOND <= value < END:
        unit = 1_000_000
    elif FIRST_MILLISECOND <= value < END * 1000:
        unit = 1000
    else:
        raise Unstorable("a number that is neither Unix seconds nor milliseconds beyond doubt")
    microseconds = Decimal(repr(value)) * unit
    if microseconds != int(microseconds):
        raise Unstorable("a time with digits beyond microseconds")
    return EPOCH + timedelta(microseconds=int(microseconds))
