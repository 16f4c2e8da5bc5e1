from datetime import datetime
from typing import Literal, get_args

from pydantic import AwareDatetime, BaseModel, Field

from app.http.fields import Text

Scope = Literal[
    "diagrams:read",
    "diagrams:write",
    "knowledge:read",
    "knowledge:write",
    "usage:read",
    "usage:write",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LARGEST_QUOTA = 2**31 - 1


class KeyIn(BaseModel):
    """`quota_limit` is how many calls the key is good for; None for any number."""

    name: Text = Field(min_length=1, max_length=100, examples=["网站 integration"])
    description: Text | None = Field(None, max_length=500)
    scopes: list[Scope] = Field(min_length=1, max_length=10, examples=[["diagrams:read"]])
    quota_limit: int | None = Field(None, ge=0, le=LARGEST_QUOTA, examples=[10_000])
    expires_at: AwareDatetime | None = Field(None, examples=["2031-01-01T00:00:00Z"])


class KeyChange(BaseModel):
    """What isn't given stays as it is."""

    name: Text = Field("", min_length=1, max_length=100)
    description: Text | None = Field(None, max_length=500)
    scopes: list[Scope] = Field([], min_length=1, max_length=10)
    quota_limit: int | None = Field(None, ge=0, le=LARGEST_QUOTA)
    expires_at: AwareDatetime | None = None
    is_active: bool = True
    usage_count: Literal[0] = Field(0, description="0 lets the quota begin anew.")


class KeyOut(BaseModel):
    """`prefix` is how the key begins; the whole of it was shown once.

    `usage_count` counts the calls of a key with a quota; `last_used_at` is right to the minute.
    """

    id: int
    prefix: str
    name: str
    description: str | None
    scopes: list[str]
    quota_limit: int | None
    usage_count: int
    is_active: bool
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class NewKey(KeyOut):
    key: str = Field(examples=["mg_Zb0XW3mE-w8Qe5n1K7r2LpYtVfUoGhSxJdCaBiNqMk4"])
