import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.http.fields import Text

Role = Literal["user", "manager", "admin"]

PHONE = re.compile(r"\d{11}")
ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def normalize_login(value: str) -> str:
    """A phone number of 11 digits, or an account like name@school.org, in lower case.

    Raises:
        ValueError: it is neither.
    """
    login = value.strip().lower()
    if len(login) > 254 or not (PHONE.fullmatch(login) or ACCOUNT.fullmatch(login)):
        raise ValueError("must be a phone number of 11 digits or an account like name@school.org")
    return login


Login = Annotated[Text, AfterValidator(normalize_login)]


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    login: str
    name: str | None
    avatar: str | None
    role: Role
    organization_id: int | None
    created_at: datetime


class Account(UserOut):
    """What each request of a user needs to know of the user; cached, so without the password."""

    session_epoch: int


class Profile(BaseModel):
    """What one tells of oneself."""

    name: Text | None = Field(None, max_length=100, examples=["爱丽丝"])
    avatar: Text | None = Field(None, max_length=50, examples=["👩‍🏫"])
