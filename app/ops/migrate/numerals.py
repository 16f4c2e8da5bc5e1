"""Numbers for PostgreSQL's types, each the same number or refused.

A text is a number when it is written plainly: digits, a sign, a decimal point between digits, an
exponent; spaces around it are passed over, as SQLite's own affinity does. Zeros in front are
refused: `007` is more often a name than a number. A zero's sign goes where the type has none.

A float stands for the shortest decimal that is read as that float, which is what people wrote:
19.99 is 19.99 in `numeric`, and not 19.989999999999998436. For the same reason a `real` holds the
floats that it shows with the same digits.
"""

import math
import re
import struct
from dataclasses import dataclass
from typing import Literal

from app.ops.migrate.unstorable import Unstorable

Value = int | float | str | bytes
Integer = Literal["smallint", "integer", "bigint"]

BITS: dict[Integer, int] = {"smallint": 16, "integer": 32, "bigint": 64}
# What PostgreSQL's numeric holds before and after the decimal point.
MOST_BEFORE = 131_072
MOST_AFTER = 16_383
# With sign, point and exponent.
LONGEST = 150_000
SPACES = " \t\n\v\f\r"
NUMBER = re.compile(
    r"([+-]?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,9}))?", flags=re.ASCII
)


@dataclass(frozen=True)
class Number:
    """A decimal: 0.digits times ten to the power of `point`. Zero has no digits, and point 0."""

    negative: bool
    # Without zeros at either end, so that equal numbers are equal here.
    digits: str
    point: int

    @property
    def after(self) -> int:
        """How many digits it has after the decimal point; below zero if tens or more are whole."""
        return len(self.digits) - self.point


def parse(text: str) -> Number:
    """The number that a text is, if PostgreSQL's numeric holds it."""
    plain = text.strip(SPACES)
    found = NUMBER.fullmatch(plain) if len(plain) <= LONGEST else None
    if found is None:
        raise Unstorable("text that is not a plain number")
    sign, whole, fraction, exponent = found.groups(default="")
    moved = int(exponent or 0)
    written = whole + fraction
    significant = written.lstrip("0")
    point = len(whole) + moved - (len(written) - len(significant)) if significant else 0
    # Zeros at the end count, as PostgreSQL keeps them.
    if point > MOST_BEFORE or len(fraction) - moved > MOST_AFTER:
        raise Unstorable("a number with more digits than numeric holds")
    digits = significant.rstrip("0")
    return Number(sign == "-" and digits != "", digits, point)


def to_integer(value: Value, kind: Integer) -> str:
    number = _whole(value)
    limit = 1 << (BITS[kind] - 1)
    if not -limit <= number < limit:
        raise Unstorable(f"a number out of the range of {kind}")
    return str(number)


def _whole(value: Value) -> int:
    if isinstance(value, bytes):
        raise Unstorable("binary data in a column of numbers")
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not value.is_integer():
            raise Unstorable("not a whole number")
        return int(value)
    plain = value.strip(SPACES)
    if re.fullmatch(r"[+-]?(?:0|[1-9][0-9]*)", plain) is None:
        raise Unstorable("text that is not a plain whole number")
    # More digits than any bigint has, and than int() takes without quadratic time.
    return int(plain) if len(plain) <= 20 else 1 << 64


def to_numeric(value: Value, precision: int | None, scale: int | None) -> str:
    """`precision` and `scale` are those of numeric(precision, scale); the scale may be negative."""
    if isinstance(value, bytes):
        raise Unstorable("binary data in a column of numbers")
    if isinstance(value, float) and math.isinf(value):
        if precision is not None:
            raise Unstorable("infinity in a numeric with a precision")
        return _shortest(value)
    text = value.strip(SPACES) if isinstance(value, str) else repr(value)
    number = parse(text)
    if precision is not None:
        _require_room(number, precision, scale or 0)
    return text


def _require_room(number: Number, precision: int, scale: int) -> None:
    if not number.digits:
        return
    if number.after > scale:
        raise Unstorable(f"a number with more than {scale} digits after the decimal point")
    if number.point > precision - scale:
        raise Unstorable(f"a number too large for numeric({precision}, {scale})")


def to_double(value: Value) -> str:
    return _shortest(_double(value))


def to_real(value: Value) -> str:
    number = _double(value)
    if math.isfinite(number) and _shown_as_real(number) != number:
        raise Unstorable("a number that real can't hold with all its digits")
    return _shortest(number)


def _double(value: Value) -> float:
    if isinstance(value, bytes):
        raise Unstorable("binary data in a column of numbers")
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        if int(float(value)) != value:
            raise Unstorable("a whole number that a double can't hold exactly")
        return float(value)
    number = parse(value)
    read = float(value.strip(SPACES))
    if math.isinf(read) or parse(repr(read)) != number:
        raise Unstorable("text of a number that a double can't hold with all its digits")
    return read


def _shown_as_real(number: float) -> float:
    """The number that PostgreSQL shows for it in a real: the shortest that is read as the same."""
    single = _single(number)
    for digits in range(1, 9):
        shown = float(f"{single:.{digits}g}")
        if _single(shown) == single:
            return shown
    return float(f"{single:.9g}")


def _single(number: float) -> float:
    try:
        packed = struct.pack("f", number)
    except OverflowError:
        return math.inf
    return float(struct.unpack("f", packed)[0])


def _shortest(number: float) -> str:
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return repr(number)
