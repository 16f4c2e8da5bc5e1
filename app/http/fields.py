"""Field types that payloads share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the character NUL")
    return value


# PostgreSQL can't store NUL in text.
Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_without_nul)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be within the years 1 to 9999 in UTC") from error


# A moment with its time zone, told in UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]

# What the database's integers can hold.
RowNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
