"""The trail of what administrators and managers change."""

from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app import clock
from app.admin import queries
from app.admin.models import AuditEvent
from app.admin.schemas import Actor, AuditFilter, AuditOut

# What lets somebody in is not for those who read the trail later.
SECRETS = {"invitation_code"}


def note(
    session: Session,
    actor: Actor,
    action: str,
    target: tuple[str, int],
    details: dict[str, Any] | None = None,
) -> None:
    """Writes one event, in the transaction of what it tells of.

    Args:
        target: the kind and the id of what was changed.
        details: JSON without secrets.
    """
    kind, number = target
    event = AuditEvent(
        at=clock.now(),
        actor_id=actor.user.id,
        actor=actor.user.login,
        action=action,
        target_type=kind,
        target_id=str(number),
        details=details or {},
        address=actor.address,
        request_id=actor.request_id,
    )
    queries.insert(session, event)


def differences(before: BaseModel, after: BaseModel) -> dict[str, Any]:
    """The fields that have changed, as {"name": {"from": ..., "to": ...}}."""
    old, new = (one.model_dump(mode="json", exclude=SECRETS) for one in (before, after))
    return {
        field: {"from": old[field], "to": new[field]} for field in new if old[field] != new[field]
    }


def list_page(
    session: Session, chosen: AuditFilter, *, limit: int, before: int | None
) -> list[AuditOut]:
    """Events newest first, from below an id."""
    found = queries.list_page(session, chosen, limit, before)
    return [AuditOut.model_validate(event) for event in found]


def count_of_user(session: Session, user_id: int) -> int:
    """Events by or about a user."""
    return queries.count_of_user(session, user_id)
