import secrets
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app import clock
from app.cache import keys
from app.cache.entries import Cache
from app.db.session import Database
from app.organizations import queries
from app.organizations.errors import (
    OrganizationClosed,
    OrganizationCodeTaken,
    OrganizationHasMembers,
    OrganizationNotFound,
    UnknownInvitation,
)
from app.organizations.models import Organization
from app.organizations.schemas import OrganizationOut, Standing
from app.users import service as users

# Without 0 O 1 I L, which people mix up.
INVITATION_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
INVITATION_LENGTH = 8


def create(
    session: Session, *, code: str, name: str, expires_at: datetime | None = None
) -> OrganizationOut:
    """Makes an organization with an invitation code. Raises OrganizationCodeTaken."""
    _require_free(session, code)
    made = queries.insert(
        session,
        code=code,
        name=name,
        invitation_code=free_invitation(session, invitations(code)),
        created_at=clock.now(),
        expires_at=expires_at,
    )
    return OrganizationOut.model_validate(made)


def require(session: Session, organization_id: int) -> OrganizationOut:
    """Raises OrganizationNotFound."""
    organization = queries.get(session, organization_id)
    if organization is None:
        raise OrganizationNotFound
    return OrganizationOut.model_validate(organization)


def list_page(
    session: Session, *, search: str | None, limit: int, before: int | None
) -> list[OrganizationOut]:
    """Organizations whose name or code has the text, newest first, from below an id."""
    found = queries.list_page(session, search, limit, before)
    return [OrganizationOut.model_validate(one) for one in found]


def change(
    session: Session, organization_id: int, values: dict[str, Any]
) -> tuple[OrganizationOut, OrganizationOut]:
    """Sets some of its fields; how it was before, and is now.

    Raises:
        OrganizationNotFound, OrganizationCodeTaken.
    """
    organization = _require_for_update(session, organization_id)
    before = OrganizationOut.model_validate(organization)
    if values.get("code", organization.code) != organization.code:
        _require_free(session, values["code"])
    for field, value in values.items():
        setattr(organization, field, value)
    session.flush()
    return before, OrganizationOut.model_validate(organization)


def rotate_invitation(session: Session, organization_id: int) -> OrganizationOut:
    """Gives it a new invitation code; the old one is dead. Raises OrganizationNotFound."""
    organization = _require_for_update(session, organization_id)
    organization.invitation_code = free_invitation(session, invitations(organization.code))
    session.flush()
    return OrganizationOut.model_validate(organization)


def delete(session: Session, organization_id: int) -> OrganizationOut:
    """Deletes an organization without members; how it was.

    Raises:
        OrganizationNotFound, OrganizationHasMembers.
    """
    organization = queries.get_for_delete(session, organization_id)
    if organization is None:
        raise OrganizationNotFound
    members = users.count_members(session, [organization_id])[organization_id]
    if members:
        raise OrganizationHasMembers(more={"members": members})
    queries.delete(session, organization_id)
    return OrganizationOut.model_validate(organization)


def invitations(code: str) -> Iterator[str]:
    """Invitation codes for the organization with this code, without end."""
    letters = "".join(one for one in code.upper() if one.isascii() and one.isalnum())
    while True:
        random = "".join(secrets.choice(INVITATION_ALPHABET) for _ in range(INVITATION_LENGTH))
        yield f"{letters[:4]:X<4}-{random}"


def free_invitation(session: Session, candidates: Iterable[str]) -> str:
    """The first that no organization has. Should two ask for the same at once, one gets a Conflict
    from the unique constraint."""
    return next(one for one in candidates if queries.get_by_invitation(session, one) is None)


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


def is_open(organization: Organization | Standing) -> bool:
    expired = organization.expires_at is not None and organization.expires_at <= clock.now()
    return organization.is_active and not expired


def _require_open(organization: Organization | Standing) -> None:
    if not is_open(organization):
        raise OrganizationClosed


def _require_for_update(session: Session, organization_id: int) -> Organization:
    organization = queries.get_for_update(session, organization_id)
    if organization is None:
        raise OrganizationNotFound
    return organization


def _require_free(session: Session, code: str) -> None:
    if queries.get_by_code(session, code) is not None:
        raise OrganizationCodeTaken
