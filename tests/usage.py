"""Records of usage for tests, and what the database holds of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.db.session import Database
from app.usage.models import TokenUsage
from app.usage.schemas import UsageEvent, UsageIn
from tests.people import ALICE, Person

# Alice's and bob's; the seeds are numbered in their order.
SCHOOL = 1
OTHER_SCHOOL = 2


def event(
    owner: Person | int | None = ALICE, organization_id: int | None = SCHOOL, **call: Any
) -> UsageEvent:
    user_id = owner.id if isinstance(owner, Person) else owner
    given = {"input_tokens": 10, "output_tokens": 5} | call
    return UsageEvent(UsageIn(**given), user_id, organization_id)


def row(created_at: datetime, owner: Person = ALICE, **values: Any) -> TokenUsage:
    """A record that no client could send, as one that is years old."""
    return TokenUsage(user_id=owner.id, created_at=created_at, **values)


def stored(database: Database) -> Sequence[TokenUsage]:
    with database.read() as session:
        return session.scalars(select(TokenUsage).order_by(TokenUsage.id)).all()
