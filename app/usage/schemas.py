import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from app import clock
from app.http.fields import Text

MOST_EVENTS = 500
# What the columns hold.
MOST_TOKENS = 2**31 - 1
MOST_ID = 2**31 - 1
# Of any currency. Sums of such costs stay exact enough to add up.
HIGHEST_COST = 1e9
LONGEST_RESPONSE_S = 86_400
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Clocks of clients are not quite right.
CLOCK_TOLERANCE = timedelta(minutes=5)

Group = Literal["day", "user", "organization", "model"]
GROUPS: dict[Group, Sequence[str]] = {
    "day": ["day"],
    "user": ["user_id", "login"],
    "organization": ["organization_id", "organization"],
    "model": ["model_provider", "model_name"],
}


def _plausible(moment: datetime) -> datetime:
    if moment < EARLIEST:
        raise ValueError("must not be before the year 2000")
    if moment > clock.now() + CLOCK_TOLERANCE:
        raise ValueError("must not be in the future")
    return moment


def _plain_date(value: object) -> object:
    # Alone, the type would take the number of a second for a day as well.
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("must be a date like 2026-01-31")
    return value


Tokens = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
Cost = Annotated[float, Field(ge=0, le=HIGHEST_COST, allow_inf_nan=False)]
Day = Annotated[date, BeforeValidator(_plain_date)]


class UsageIn(BaseModel):
    """One call of a model. A record that is sent again with its `event_id` counts once."""

    # A misspelt field would silently count nothing.
    model_config = ConfigDict(extra="forbid", frozen=True)

    event_id: UUID = Field(default_factory=uuid4)
    created_at: Annotated[AwareDatetime, AfterValidator(_plausible)] = Field(
        default_factory=clock.now
    )
    session_id: Text | None = Field(None, max_length=100)
    conversation_id: Text | None = Field(None, max_length=100)
    model_provider: Text | None = Field(None, max_length=50, examples=["dashscope"])
    model_name: Text | None = Field(None, max_length=100, examples=["qwen-plus"])
    model_alias: Text | None = Field(None, max_length=50, examples=["qwen"])
    input_tokens: Tokens = Field(0, examples=[1200])
    output_tokens: Tokens = Field(0, examples=[350])
    input_cost: Cost | None = Field(None, examples=[0.00096])
    output_cost: Cost | None = Field(None, examples=[0.0007])
    total_cost: Cost | None = Field(None, description="The sum of the other two by default.")
    request_type: Text | None = Field(None, max_length=50, examples=["diagram_generation"])
    diagram_type: Text | None = Field(None, max_length=50, examples=["mind_map"])
    endpoint_path: Text | None = Field(None, max_length=200)
    success: bool = True
    response_time: float | None = Field(
        None, ge=0, le=LONGEST_RESPONSE_S, allow_inf_nan=False, description="Seconds."
    )

    @model_validator(mode="after")
    def _check(self) -> "UsageIn":
        if self.total_tokens > MOST_TOKENS:
            raise ValueError(f"input_tokens and output_tokens together may be {MOST_TOKENS}")
        return self

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class UsageEvent:
    """A call of a model, and whose it was."""

    call: UsageIn
    user_id: int | None
    organization_id: int | None
    api_key_id: int | None = None

    @property
    def event_id(self) -> str:
        return str(self.call.event_id)

    def columns(self) -> dict[str, Any]:
        return self.call.model_dump() | {
            "event_id": self.event_id,
            "user_id": self.user_id,
            "organization_id": self.organization_id,
            "api_key_id": self.api_key_id,
            "total_tokens": self.call.total_tokens,
            "total_cost": self._total_cost(),
        }

    def _total_cost(self) -> float | None:
        parts = [cost for cost in (self.call.input_cost, self.call.output_cost) if cost is not None]
        if self.call.total_cost is None and parts:
            return sum(parts)
        return self.call.total_cost


class UsageBatch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    events: list[UsageIn] = Field(min_length=1, max_length=MOST_EVENTS)


class Recorded(BaseModel):
    """How many of the records are new, and how many were there already."""

    recorded: int
    duplicates: int


class StatisticsAsked(BaseModel):
    """Which usage to add up, and how.

    `from` and `to` are days in the time zone, both included; without them, the last 30 days.
    `scope` is one's own usage, an organization's (its managers, administrators) or everybody's
    (administrators). `group_by` names one or more of day, user, organization, model.
    """

    first: Day | None = Field(None, alias="from")
    last: Day | None = Field(None, alias="to")
    time_zone: str = Field("UTC", max_length=64, examples=["Asia/Shanghai"])
    group_by: str = Field(
        "day",
        pattern=r"^(day|user|organization|model)(,(day|user|organization|model)){0,3}$",
        examples=["day,model"],
    )
    scope: Literal["mine", "organization", "everybody"] = "mine"
    organization_id: int | None = Field(None, ge=1, le=MOST_ID)
    format: Literal["json", "csv"] = "json"

    @property
    def groups(self) -> list[Group]:
        """Each group once, in the order of the columns."""
        asked = self.group_by.split(",")
        return [group for group in GROUPS if group in asked]


class Sums(BaseModel):
    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: float


class Keys(BaseModel):
    """What tells one group from another: the fields of the groups that were asked for.

    They are null for usage whose user or organization was deleted, or that named no model.
    """

    day: date | None = None
    user_id: int | None = None
    login: str | None = None
    organization_id: int | None = None
    organization: str | None = None
    model_provider: str | None = None
    model_name: str | None = None


class StatisticsRow(Sums, Keys):
    """The sums of one group."""


class Statistics(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    time_zone: str
    rows: list[StatisticsRow]
    totals: Sums
