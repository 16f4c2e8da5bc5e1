from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.http.fields import Moment, Text

Code = Annotated[Text, Field(min_length=1, max_length=50, examples=["BJ-001"])]
Name = Annotated[Text, Field(min_length=1, max_length=200, examples=["北京第一中学"])]


class OrganizationIn(BaseModel):
    code: Code
    name: Name
    expires_at: Moment | None = Field(None, description="When it closes; null for never.")


class OrganizationPatch(BaseModel):
    """What is absent stays as it is."""

    # A name with a typing error would otherwise change nothing in silence.
    model_config = ConfigDict(extra="forbid")

    # The defaults are never stored: a field that is absent isn't, and null is refused.
    code: Code = Field(default_factory=str)
    name: Name = Field(default_factory=str)
    expires_at: Moment | None = Field(None, description="When it closes; null for never.")
    is_active: bool = Field(default_factory=bool)


class OrganizationOut(BaseModel):
    """For those who manage it: with the code that lets people in."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    code: str
    name: str
    invitation_code: str | None
    created_at: datetime
    expires_at: datetime | None
    is_active: bool


class Standing(BaseModel):
    """Whether an organization's members may do anything; cached."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    is_active: bool
    expires_at: datetime | None
