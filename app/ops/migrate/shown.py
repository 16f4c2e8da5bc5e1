"""What single values of the file mean to PostgreSQL's types, read for the proof alone.

It says the same as the copy's own rules in other words and shares no line with them: where both
were wrong in the same way, nobody would see it. It may take more forms than the copy does, as long
as nobody could doubt their meaning.
"""

import re
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal

Value = int | float | str | bytes

SPACES = " \t\n\v\f\r"
WHOLE = re.compile(r"[+-]?[0-9]{1,25}", re.ASCII)
PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[ T](?P<clock>\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d+))?"
    r"(?: ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?))?)?",
    re.ASCII,
)
HEXADECIMAL = re.compile(r"[0-9a-f]{32}", re.ASCII)
TRUE = {"1", "t", "true"}
FALSE = {"0", "f", "false"}

START = datetime(2000, 1, 1)  # noqa: DTZ001 - of PostgreSQL's times, in UTC as all that is here
UNIX_START = datetime(1970, 1, 1)  # noqa: DTZ001
FIRST_DAY = date(2000, 1, 1)
MICROSECOND = timedelta(microseconds=1)
# Numbers are Unix seconds from 1973, or milliseconds from 2001, to the end of 2199.
SECONDS = (100_000_000, 7_258_118_400)
MILLISECONDS = (1_000_000_000_000, 7_258_118_400_000)
# All digits that PostgreSQL's numeric may have.
EXACT = Context(prec=150_000, Emax=999_999, Emin=-999_999)


class Unreadable(ValueError):
    """A value that means nothing to a type, and so can't have been copied."""


def integer(value: Value) -> int:
    """Within 64 bits."""
    if isinstance(value, str) and WHOLE.fullmatch(value.strip(SPACES)):
        value = int(value.strip(SPACES))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    raise Unreadable("no whole number")


def boolean(value: Value) -> int:
    if isinstance(value, int | float) and value in (0, 1):
        return int(value)
    word = value.lower() if isinstance(value, str) else ""
    if word in TRUE or word in FALSE:
        return int(word in TRUE)
    raise Unreadable("neither true nor false")


def double(value: Value) -> float:
    if isinstance(value, float):
        return value
    exact = decimal(value)
    nearest = float(exact)
    if decimal(nearest) != exact:
        raise Unreadable("no double")
    return nearest


def decimal(value: Value) -> Decimal:
    if isinstance(value, bytes):
        raise Unreadable("no number")
    written = value.strip(SPACES) if isinstance(value, str) else repr(value)
    if isinstance(value, str) and not PLAIN.fullmatch(written):
        raise Unreadable("no number")
    return Decimal(written)


def numeric(value: Decimal) -> str:
    """As PostgreSQL shows it without zeros at the end."""
    if value.is_infinite():
        return "-Infinity" if value < 0 else "Infinity"
    return format(value.normalize(EXACT), "f") if value else "0"


def moment(value: Value) -> int:
    """Microseconds since 2000 in UTC."""
    if isinstance(value, int | float):
        return _of_unix(value)
    found = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Unreadable("no time")
    try:
        local = datetime.fromisoformat(f"{found['day']} {found['clock'] or '00:00'}")
    except ValueError as error:
        raise Unreadable("no time") from error
    instant = (local - START - _offset(found["zone"])) // MICROSECOND
    return instant + _microseconds(found["fraction"])


def day(value: Value) -> int:
    """Days since 2000-01-01."""
    days, rest = divmod(moment(value), 86_400_000_000)
    if rest:
        raise Unreadable("no date")
    return days


def clock(value: Value) -> str:
    """A time of day as PostgreSQL shows it."""
    found = MOMENT.fullmatch(f"2000-01-01 {value}") if isinstance(value, str) else None
    if found is None or _offset(found["zone"]):
        raise Unreadable("no time of day")
    try:
        whole = time.fromisoformat(found["clock"]).isoformat()
    except ValueError as error:
        raise Unreadable("no time of day") from error
    return whole + _fraction(_microseconds(found["fraction"]))


def uuid(value: Value) -> str:
    plain = value.replace("-", "").lower() if isinstance(value, str) else ""
    if not HEXADECIMAL.fullmatch(plain):
        raise Unreadable("no UUID")
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


def moment_text(microseconds: int) -> str:
    """As PostgreSQL shows a timestamp."""
    instant = START + timedelta(microseconds=microseconds)
    return instant.replace(microsecond=0).isoformat(" ") + _fraction(instant.microsecond)


def day_text(days: int) -> str:
    return (FIRST_DAY + timedelta(days=days)).isoformat()


def _of_unix(value: float) -> int:
    unit = next(
        (
            unit
            for unit, (first, end) in ((1_000_000, SECONDS), (1000, MILLISECONDS))
            if first <= value < end
        ),
        None,
    )
    exact = Decimal(repr(value)) * (unit or 0)
    if unit is None or exact != int(exact):
        raise Unreadable("no time")
    return int(exact) + (UNIX_START - START) // MICROSECOND


def _microseconds(fraction: str | None) -> int:
    digits = (fraction or "").rstrip("0")
    if len(digits) > 6:
        raise Unreadable("no microseconds")
    return int(digits.ljust(6, "0")) if digits else 0


def _fraction(microseconds: int) -> str:
    return f".{microseconds:06d}".rstrip("0") if microseconds else ""


def _offset(zone: str | None) -> timedelta:
    if zone in (None, "Z"):
        return timedelta()
    assert zone is not None
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -offset if zone[0] == "-" else offset
