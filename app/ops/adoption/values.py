"""Values as years of SQLite left them. What can't be understood is None or empty, never a guess."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from app.knowledge.schemas import MOST_DETAILS, MOST_TAGS, Detail
from app.ops.migrate import times
from app.ops.migrate.unstorable import Unstorable

LONGEST_TAG = 50
LONGEST_KEY = 50
LARGEST = 2**63 - 1


class NotJson(Exception):
    """It was to be JSON, and isn't."""


def text(value: object) -> str:
    """Without what PostgreSQL can't store: NUL and halves of characters."""
    if value is None:
        return ""
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode(errors="replace")
    return str(value).replace("\x00", "").encode(errors="replace").decode()


def whole(value: object) -> int | None:
    """An integer that a database can hold."""
    try:
        number = Decimal(text(value).strip() or "NaN")
    except ArithmeticError:
        return None
    if not number.is_finite() or number != number.to_integral_value() or abs(number) > LARGEST:
        return None
    return int(number)


def real(value: object) -> float:
    """0 where it is no number, or none that JSON can tell."""
    try:
        number = float(text(value).strip() or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def moment(value: object) -> datetime | None:
    """In UTC, which it was written in unless it has an offset."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    written = value if isinstance(value, int | float) else text(value).strip()
    try:
        return datetime.fromisoformat(times.convert(written, "timestamptz"))
    except (Unstorable, ValueError, ArithmeticError):
        return None


def parsed(value: object) -> Any:
    """What JSON says; None for nothing. Raises NotJson."""
    if value is None or isinstance(value, list | dict):
        return value
    written = text(value)
    try:
        return json.loads(written) if written.strip() else None
    except (ValueError, RecursionError) as error:
        raise NotJson from error


def tags(found: object) -> tuple[list[str], int]:
    """Tags that fit, each once, and how many don't."""
    if found is None:
        return [], 0
    if not isinstance(found, list):
        return [], 1
    fitting: list[str] = []
    for one in found:
        tag = text(one).strip() if isinstance(one, str) else ""
        if tag and len(tag) <= LONGEST_TAG and tag not in fitting:
            fitting.append(tag)
    unfit = [one for one in found if not isinstance(one, str) or text(one).strip() not in fitting]
    return fitting[:MOST_TAGS], len(unfit) + len(fitting[MOST_TAGS:])


def details(*sources: Mapping[str, object]) -> tuple[dict[str, Detail], list[str]]:
    """What clients want to remember, and the names of what doesn't fit.

    Args:
        sources: of two values for one name, the earlier source's is taken.
    """
    fitting: dict[str, Detail] = {}
    unfit: list[str] = []
    for source in sources:
        for key, value in source.items():
            name = text(key).strip()
            if name in fitting or value is None:
                continue
            kept = _detail(value)
            if kept is None or len(name) > LONGEST_KEY or len(fitting) == MOST_DETAILS:
                unfit.append(name)
            else:
                fitting[name] = kept
    return fitting, unfit


def _detail(value: object) -> Detail:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) <= LARGEST else None
    return None
