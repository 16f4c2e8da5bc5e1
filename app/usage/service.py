import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from app import clock
from app.db.session import Database
from app.organizations import service as organizations
from app.usage import days, queries
from app.usage.errors import OrganizationMissing, StatisticsForbidden, TooManyRows

# Other features hand one on.
from app.usage.recorder import Recorder as Recorder
from app.usage.schemas import (
    Recorded,
    Statistics,
    StatisticsAsked,
    StatisticsRow,
    Sums,
    UsageEvent,
    UsageIn,
)
from app.users import service as users
from app.users.schemas import UserOut

MOST_ROWS = 20_000
RETAIN_BATCH = 5_000
# Of costs. What lies beyond comes from the order in which they were added.
DIGITS = 9


def record(
    recorder: Recorder, user: UserOut, calls: Sequence[UsageIn], *, api_key_id: int | None = None
) -> Recorded:
    """Stores a user's calls of models; they are committed when it returns.

    Raises:
        RecorderFull, RecorderClosed, Unavailable: send them again.
    """
    events = [UsageEvent(call, user.id, user.organization_id, api_key_id) for call in calls]
    new = recorder.record(events)
    return Recorded(recorded=new, duplicates=len(events) - new)


def statistics(database: Database, user: UserOut, asked: StatisticsAsked) -> Statistics:
    """The sums of the usage that the user may see.

    Raises:
        UnknownTimeZone, InvalidPeriod, OrganizationMissing, StatisticsForbidden, TooManyRows.
    """
    owner = _owner(user, asked)
    period = days.period(asked.first, asked.last, asked.time_zone, clock.now())
    with database.read() as session:
        found = queries.sums(session, asked.groups, period.midnights, MOST_ROWS + 1, **owner)
        if len(found) > MOST_ROWS:
            raise TooManyRows
        named = _with_names(session, found)
    if "day" in asked.groups:
        for row in named:
            row["day"] = period.first + timedelta(days=row["day"] - 1)
    rows = [StatisticsRow.model_validate(row) for row in named]
    return Statistics(
        first=period.first,
        last=period.last,
        time_zone=asked.time_zone,
        rows=rows,
        totals=_totals(rows),
    )


def retain(database: Database, *, days: int) -> Iterator[int]:
    """Deletes what is older than `days`, a batch a transaction; yields how many each deleted.

    It may be ended between any two of them and called again.
    """
    cutoff = clock.now() - timedelta(days=days)
    deleted = RETAIN_BATCH
    while deleted == RETAIN_BATCH:
        with database.begin(frees_space=True) as session:
            deleted = queries.delete_older(session, cutoff, RETAIN_BATCH)
        yield deleted


def count_older(database: Database, *, days: int) -> int:
    """How many records `retain` would delete."""
    with database.read() as session:
        return queries.count_older(session, clock.now() - timedelta(days=days))


def count_of(session: Session, user_id: int) -> int:
    """How many records there are of a user."""
    return queries.count_of(session, user_id)


def _owner(user: UserOut, asked: StatisticsAsked) -> dict[str, int]:
    """The column and its value by which the usage is found; nothing for everybody's."""
    if asked.scope == "mine":
        return {"user_id": user.id}
    if user.role == "admin":
        if asked.scope == "everybody":
            return {}
        if asked.organization_id is None:
            raise OrganizationMissing
        return {"organization_id": asked.organization_id}
    manages = user.organization_id if user.role == "manager" else None
    if asked.scope == "everybody" or manages is None:
        raise StatisticsForbidden
    if asked.organization_id not in {None, manages}:
        raise StatisticsForbidden
    return {"organization_id": manages}


def _with_names(session: Session, found: Sequence[RowMapping]) -> list[dict[str, Any]]:
    rows = [dict(row) for row in found]
    for row in rows:
        row["total_cost"] = round(row["total_cost"], DIGITS)
    for column, name, names in (
        ("user_id", "login", users.logins),
        ("organization_id", "organization", organizations.names),
    ):
        ids = {row[column] for row in rows if row.get(column) is not None}
        known = names(session, ids) if ids else {}
        for row in rows:
            if column in row:
                row[name] = known.get(row[column])
    return rows


def _totals(rows: Sequence[StatisticsRow]) -> Sums:
    return Sums(
        calls=sum(row.calls for row in rows),
        failures=sum(row.failures for row in rows),
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        total_tokens=sum(row.total_tokens for row in rows),
        total_cost=round(math.fsum(row.total_cost for row in rows), DIGITS),
    )
