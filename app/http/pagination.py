"""Keyset paging: a cursor names the last row of a page, so that a deep page costs no more."""

import base64
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from app.errors import InvalidInput

Limit = Annotated[int, Query(ge=1, le=100)]
LONGEST_CURSOR = 200
CursorText = Annotated[str | None, Query(alias="cursor", max_length=LONGEST_CURSOR)]

Item = TypeVar("Item")


class InvalidCursor(InvalidInput):
    """This cursor was not made by this service; start again without one."""


class Page(BaseModel, Generic[Item]):
    """`next_cursor` asks for the page after this one; None at the end."""

    items: list[Item]
    next_cursor: str | None


def encode(*values: bool | int | str | datetime) -> str:
    """A cursor of the last row's values, in the order of the list's sorting."""
    parts = [one.isoformat() if isinstance(one, datetime) else one for one in values]
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode(cursor: str, *kinds: type[bool | int | str | datetime]) -> tuple[Any, ...]:
    """The values in a cursor, one of each kind; moments are in UTC.

    Raises:
        InvalidCursor: it is no cursor, or has other values than these.
    """
    if len(cursor) > LONGEST_CURSOR:
        raise InvalidCursor
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(parts, list):
            raise InvalidCursor
        return tuple(_value(part, kind) for part, kind in zip(parts, kinds, strict=True))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidCursor from error


def _value(part: object, kind: type) -> bool | int | str | datetime:
    if kind is datetime:
        return _moment(part)
    # The very type: to isinstance() True is a number.
    if type(part) is not kind:
        raise InvalidCursor
    if isinstance(part, str):
        return _text(part)
    if isinstance(part, int) and -(2**63) <= part < 2**63:
        return part
    raise InvalidCursor


def _moment(part: object) -> datetime:
    if not isinstance(part, str):
        raise InvalidCursor
    moment = datetime.fromisoformat(part)
    if moment.tzinfo is None:
        raise InvalidCursor
    # The first and last day may have no UTC: an OverflowError.
    return moment.astimezone(UTC)


def _text(part: str) -> str:
    if "\x00" in part:
        raise InvalidCursor
    # Half a surrogate pair has no UTF-8: a ValueError.
    part.encode()
    return part
