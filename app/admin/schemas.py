from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.organizations.schemas import OrganizationOut
from app.users.schemas import UserOut, UserRow


@dataclass(frozen=True)
class Actor:
    """Who asks for something, and from where."""

    user: UserOut
    address: str
    request_id: str | None

    @property
    def is_admin(self) -> bool:
        return self.user.role == "admin"

    @property
    def scope(self) -> int | None:
        """The organization whose members are all that a manager sees; None for everybody."""
        return None if self.is_admin else self.user.organization_id


class OrganizationDetails(OrganizationOut):
    members: int


class Person(UserRow):
    # Logins are refused until then, after too many wrong passwords.
    locked_until: datetime | None


class PersonDetails(Person):
    diagrams: int
    diagrams_in_trash: int


class ResetLink(BaseModel):
    """Shown this once: who has it can set a new password for the user."""

    token: str
    path: str = Field(examples=["/reset-password?token=..."])
    expires_at: datetime


class DeletedRows(BaseModel):
    diagrams: int = Field(description="Those in the trash too.")
    diagram_versions: int
    documents: int
    api_keys: int


class KeptRows(BaseModel):
    """These stay, without the user."""

    token_usage: int
    audit_events: int = Field(description="By or about the user, without the deletion itself.")


class Deletion(BaseModel):
    """What goes with a user, and what stays."""

    deleted: DeletedRows
    kept: KeptRows


class AuditOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    actor_id: int | None = Field(description="Null when the actor was deleted.")
    actor: str = Field(description="The actor's login name as it was then.")
    action: str = Field(examples=["organization.create"])
    target_type: str = Field(examples=["organization"])
    target_id: str = Field(examples=["7"])
    details: dict[str, Any]
    address: str | None
    request_id: str | None


class AuditFilter(BaseModel):
    """Which events are listed; None leaves it open."""

    actor_id: int | None = None
    action: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
