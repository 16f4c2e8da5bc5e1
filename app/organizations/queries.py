from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.organizations.models import Organization


def exists(session: Session) -> bool:
    return session.scalar(select(Organization.id).limit(1)) is not None


def get(session: Session, organization_id: int) -> Organization | None:
    return session.get(Organization, organization_id)


def get_by_invitation(session: Session, invitation_code: str) -> Organization | None:
    return session.scalar(
        select(Organization).where(Organization.invitation_code == invitation_code)
    )


def list_names(session: Session, ids: Collection[int]) -> dict[int, str]:
    rows = session.execute(
        select(Organization.id, Organization.name).where(Organization.id.in_(ids))
    )
    return {row.id: row.name for row in rows}


def insert(
    session: Session, *, code: str, name: str, invitation_code: str, created_at: datetime
) -> Organization:
    organization = Organization(
        code=code, name=name, invitation_code=invitation_code, created_at=created_at
    )
    session.add(organization)
    session.flush()
    return organization
