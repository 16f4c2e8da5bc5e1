"""Keyset paging: a cursor names the last row of a page, so that a deep page costs no more."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from app.errors import InvalidInput

Limit = Annotated[int, Query(ge=1, le=100)]
CursorText = Annotated[str | None, Query(alias="cursor", max_length=200)]

Item = TypeVar("Item")


class InvalidCursor(InvalidInput):
    """This cursor was not made by this service; start again without one."""


class Page(BaseModel, Generic[Item]):
    """`next_cursor` asks for the page after this one; None at the end."""

    items: list[Item]
    next_cursor: str | None


def encode(moment: datetime, row_id: str) -> str:
    text = json.dumps([moment.isoformat(), row_id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode(cursor: str) -> tuple[datetime, str]:
    """The (moment, id) in a cursor. Raises InvalidCursor."""
    try:
        moment, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or not isinstance(row_id, str) or "\x00" in row_id:
            raise InvalidCursor
        # Half a surrogate pair has no UTF-8, and the first and last day may have no UTC.
        row_id.encode()
        return at.astimezone(UTC), row_id
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise InvalidCursor from error
