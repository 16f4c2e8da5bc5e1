"""Texts of times as microseconds since 2000, many at once: those in the forms that programs write.

`YYYY-MM-DD HH:MM:SS` and `YYYY-MM-DD HH:MM:SS.ffffff`, perhaps with T between.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY = 86_400_000_000
SHORT = 19
FULL = 26
WIDTH = 28
SEPARATORS = {4: "-", 7: "-", 13: ":", 16: ":"}
DIGITS = [at for at in range(SHORT) if at not in {4, 7, 10, 13, 16}]
FRACTION = range(20, FULL)
# Of a calendar that starts in March, so that the 29th of February is a year's last day.
# Days from 0000-03-01 to 2000-01-01.
TO_2000 = 730_425

Digits = NDArray[np.int64]


def read(values: Sequence[Any]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The microseconds, and the places of the values that have to be read in another way."""
    count = len(values)
    if set(map(type, values)) != {str}:
        return np.zeros(count, dtype=np.int64), np.arange(count)
    try:
        # What isn't ASCII is no time; what is longer is cut, and known by its length.
        raw = np.array(values, dtype=f"S{WIDTH}")
    except UnicodeEncodeError:
        return np.zeros(count, dtype=np.int64), np.arange(count)
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=count)
    signs = np.ascontiguousarray(raw.view(np.uint8).reshape(count, WIDTH).T)
    right = _has_form(signs, lengths)
    microseconds, exists = _microseconds(signs, lengths)
    return microseconds, np.flatnonzero(~(right & exists))


def _has_form(signs: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = (lengths == SHORT) | (lengths == FULL)
    for at, sign in SEPARATORS.items():
        right &= signs[at] == ord(sign)
    right &= (signs[10] == ord(" ")) | (signs[10] == ord("T"))
    # What is below "0" becomes large.
    right &= (signs[DIGITS] - np.uint8(48) <= 9).all(axis=0)
    if lengths.max() > SHORT:
        fraction = (signs[FRACTION] - np.uint8(48) <= 9).all(axis=0) & (signs[SHORT] == ord("."))
        right &= fraction | (lengths == SHORT)
    return right


def _microseconds(
    signs: NDArray[np.uint8], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """And which of them a calendar and a clock have."""
    year = _number(signs, range(4))
    month, day, hour, minute, second = (
        _number(signs, range(at, at + 2)) for at in (5, 8, 11, 14, 17)
    )
    exists = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    exists &= day <= _days_in(year, month)
    exists &= (hour <= 23) & (minute <= 59) & (second <= 59)
    seconds = _days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    found = seconds * 1_000_000
    if lengths.max() > SHORT:
        found += np.where(lengths == FULL, _number(signs, FRACTION), 0)
    return found, exists


def _number(signs: NDArray[np.uint8], places: range) -> Digits:
    found: Digits = signs[places[0]].astype(np.int64) - 48
    for at in places[1:]:
        found *= 10
        found += signs[at]
        found -= 48
    return found


def _days_in(year: Digits, month: Digits) -> Digits:
    lengths: Digits = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[
        month.clip(0, 12)
    ]
    leap: NDArray[np.bool_] = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    found: Digits = lengths + (leap & (month == 2))
    return found


def _days(year: Digits, month: Digits, day: Digits) -> Digits:
    """Since 2000-01-01."""
    late: NDArray[np.bool_] = month > 2
    begun: Digits = year - ~late
    from_march = month + np.where(late, -3, 9)
    in_year = (153 * from_march + 2) // 5 + day - 1
    found: Digits = begun * 365 + begun // 4 - begun // 100 + begun // 400 + in_year - TO_2000
    return found
