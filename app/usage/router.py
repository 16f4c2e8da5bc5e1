from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.http.dependencies import DatabaseOf
from app.http.documentation import raises
from app.http.routes import Route
from app.usage import export, service
from app.usage.dependencies import Reader, RecorderOf, Writer
from app.usage.errors import (
    InvalidPeriod,
    OrganizationMissing,
    RecorderClosed,
    RecorderFull,
    StatisticsForbidden,
    TooManyRows,
    UnknownTimeZone,
)
from app.usage.schemas import Recorded, Statistics, StatisticsAsked, UsageBatch

router = APIRouter(route_class=Route, tags=["usage"])

CSV = "text/csv; charset=utf-8"
AS_CSV = {"text/csv": {"schema": {"type": "string"}}}


@router.post("", status_code=201, responses=raises(RecorderClosed, RecorderFull))
def record(payload: UsageBatch, caller: Writer, recorder: RecorderOf) -> Recorded:
    """Stores one's own calls of models. After the answer they are in the database for good.

    Send `event_id` with each: without an answer, send the same again, and each counts once.
    """
    return service.record(recorder, caller.user, payload.events, api_key_id=caller.key_id)


@router.get(
    "/statistics",
    response_model=Statistics,
    response_model_exclude_unset=True,
    responses={
        200: {"content": AS_CSV},
        **raises(
            InvalidPeriod, OrganizationMissing, StatisticsForbidden, TooManyRows, UnknownTimeZone
        ),
    },
)
def statistics(
    asked: Annotated[StatisticsAsked, Query()], caller: Reader, database: DatabaseOf
) -> Statistics | Response:
    """Adds up calls, tokens and costs. Days without usage have no row.

    `scope` is one's own usage, an organization's (its managers, and administrators with
    `organization_id`) or everybody's (administrators). `from` and `to` are days in `time_zone`,
    both included, and at most 366; by default the last 30.
    """
    found = service.statistics(database, caller.user, asked)
    if asked.format == "json":
        return found
    name = f"usage-{found.first}-{found.last}.csv"
    return Response(
        export.to_csv(found, asked.groups),
        media_type=CSV,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
