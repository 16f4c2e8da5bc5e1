import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.http.fields import RowNumber, Text

Role = Literal["user", "manager", "admin"]

PHONE = re.compile(r"\d{11}")
ACCOUNT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

# An emoji as keyboards send it: a flag, a keycap, or symbols with their colour of skin and their
# tags, joined to one.
_SYMBOL = (
    "[\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f004\U0001f0cf\U0001f170-\U0001f19a"
    "\U0001f201-\U0001f251\U0001f300-\U0001faff]"
)
_ELEMENT = f"{_SYMBOL}\ufe0f?[\U0001f3fb-\U0001f3ff]?(?:[\U000e0020-\U000e007e]+\U000e007f)?"
EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3|{_ELEMENT}(?:\u200d{_ELEMENT})*"
)


def _is_emoji(value: str) -> str:
    if EMOJI.fullmatch(value) is None:
        raise ValueError("must be a single emoji")
    return value


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
Avatar = Annotated[Text, AfterValidator(_is_emoji)]


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


class UserRow(UserOut):
    """One of a list for those who administrate."""

    last_login: datetime | None


class UserFilter(BaseModel):
    """Which users are listed; None leaves it open."""

    search: str | None = None
    organization_id: int | None = None
    role: Role | None = None


class UserPatch(BaseModel):
    """What is absent stays as it is."""

    # A name with a typing error would otherwise change nothing in silence.
    model_config = ConfigDict(extra="forbid")

    # The default is never stored: a field that is absent isn't, and null is refused.
    role: Role = Field(default_factory=lambda: "user")
    organization_id: RowNumber | None = None
    name: Text | None = Field(None, max_length=100, examples=["爱丽丝"])


class Profile(BaseModel):
    """What one tells of oneself."""

    name: Text | None = Field(None, max_length=100, examples=["爱丽丝"])
    avatar: Avatar | None = Field(None, max_length=50, examples=["👩‍🏫"])
