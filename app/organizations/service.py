from collections.abc import Collection

from sqlalchemy.orm import Session

from app import clock
from app.cache import keys
from app.cache.entries import Cache
from app.db.session import Database
from app.organizations import queries
from app.organizations.errors import OrganizationClosed, UnknownInvitation
from app.organizations.models import Organization
from app.organizations.schemas import Standing


def require_by_invitation(session: Session, invitation_code: str) -> Organization:
    """The open organization that an invitation code belongs to.

    Raises:
        UnknownInvitation: no organization has this code.
        OrganizationClosed: it is locked or has expired.
    """
    code = invitation_code.strip()
    # People type the codes in any case; a code may hold small letters all the same.
    organization = queries.get_by_invitation(session, code) or queries.get_by_invitation(
        session, code.upper()
    )
    if organization is None:
        raise UnknownInvitation
    _require_open(organization)
    return organization


def names(session: Session, ids: Collection[int]) -> dict[int, str]:
    """The names of those of the organizations that there are."""
    return queries.list_names(session, ids)


def require_open(session: Session, organization_id: int | None) -> None:
    """Raises OrganizationClosed for a member of a locked or expired organization."""
    if organization_id is None:
        return
    organization = queries.get(session, organization_id)
    if organization is None:
        raise OrganizationClosed
    _require_open(organization)


def require_standing(database: Database, cache: Cache, organization_id: int | None) -> None:
    """`require_open`, from the cache where it has it. Raises OrganizationClosed."""
    if organization_id is None:
        return

    def load() -> Standing | None:
        with database.read() as session:
            organization = queries.get(session, organization_id)
            return Standing.model_validate(organization) if organization else None

    key = keys.organization(organization_id)
    standing = cache.read_as(key, keys.ORGANIZATION_TTL, Standing, load)
    if standing is None:
        raise OrganizationClosed
    _require_open(standing)


def _require_open(organization: Organization | Standing) -> None:
    expired = organization.expires_at is not None and organization.expires_at <= clock.now()
    if expired or not organization.is_active:
        raise OrganizationClosed
