from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete as delete_from
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.organizations.models import Organization


def exists(session: Session) -> bool:
    return session.scalar(select(Organization.id).limit(1)) is not None


def get(session: Session, organization_id: int) -> Organization | None:
    return session.get(Organization, organization_id)


def get_for_update(session: Session, organization_id: int) -> Organization | None:
    """As it is now; nobody else changes it until the end of the transaction."""
    lock = {"key_share": True}
    return session.get(Organization, organization_id, with_for_update=lock, populate_existing=True)


def get_for_delete(session: Session, organization_id: int) -> Organization | None:
    """As it is now; nobody else becomes a member either until the end of the transaction."""
    return session.get(Organization, organization_id, with_for_update=True, populate_existing=True)


def get_by_code(session: Session, code: str) -> Organization | None:
    return session.scalar(select(Organization).where(Organization.code == code))


def list_page(
    session: Session, search: str | None, limit: int, before: int | None
) -> list[Organization]:
    """Newest first."""
    statement = select(Organization).order_by(Organization.id.desc()).limit(limit)
    if search:
        found = (
            column.icontains(search, autoescape=True)
            for column in (Organization.name, Organization.code)
        )
        statement = statement.where(or_(*found))
    if before is not None:
        statement = statement.where(Organization.id < before)
    return list(session.scalars(statement))


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
    session: Session,
    *,
    code: str,
    name: str,
    invitation_code: str,
    created_at: datetime,
    expires_at: datetime | None = None,
) -> Organization:
    organization = Organization(
        code=code,
        name=name,
        invitation_code=invitation_code,
        created_at=created_at,
        expires_at=expires_at,
    )
    session.add(organization)
    session.flush()
    return organization


def delete(session: Session, organization_id: int) -> None:
    session.execute(delete_from(Organization).where(Organization.id == organization_id))
