from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.admin import service
from app.admin.dependencies import Admin, AdminOrManager
from app.admin.errors import NotAManager, NotAnAdministrator
from app.admin.schemas import OrganizationDetails
from app.cache import keys
from app.http.dependencies import CacheOf, DatabaseOf
from app.http.documentation import raises
from app.http.fields import Text
from app.http.pagination import CursorText, InvalidCursor, Limit, Page
from app.http.routes import Route
from app.organizations.errors import (
    OrganizationCodeTaken,
    OrganizationHasMembers,
    OrganizationNotFound,
)
from app.organizations.schemas import OrganizationIn, OrganizationPatch

router = APIRouter(route_class=Route, tags=["administration of organizations"])

OrganizationId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Search = Annotated[
    Text | None, Query(max_length=100, description="A part of the name or of the code.")
]


@router.post("", status_code=201, responses=raises(NotAnAdministrator, OrganizationCodeTaken))
def create(payload: OrganizationIn, actor: Admin, database: DatabaseOf) -> OrganizationDetails:
    """Makes an organization, with an invitation code for its members."""
    with database.begin() as session:
        return service.create_organization(session, actor, payload)


@router.get("", responses=raises(NotAnAdministrator, InvalidCursor))
def list_page(
    _: Admin,
    database: DatabaseOf,
    q: Search = None,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[OrganizationDetails]:
    """Organizations, newest first."""
    with database.read() as session:
        return service.list_organizations(session, search=q, limit=limit, cursor=cursor)


@router.get("/{organization_id}", responses=raises(NotAManager, OrganizationNotFound))
def read(
    organization_id: OrganizationId, actor: AdminOrManager, database: DatabaseOf
) -> OrganizationDetails:
    """A manager reads the own one."""
    with database.read() as session:
        return service.require_organization(session, actor, organization_id)


@router.patch(
    "/{organization_id}",
    responses=raises(NotAnAdministrator, OrganizationNotFound, OrganizationCodeTaken),
)
def change(
    organization_id: OrganizationId,
    payload: OrganizationPatch,
    actor: Admin,
    database: DatabaseOf,
    cache: CacheOf,
) -> OrganizationDetails:
    """Changes what is given. While it is locked or over, its members get 403."""
    with cache.changing(keys.organization(organization_id)), database.begin() as session:
        return service.change_organization(session, actor, organization_id, payload)


@router.delete(
    "/{organization_id}",
    status_code=204,
    responses=raises(NotAnAdministrator, OrganizationNotFound, OrganizationHasMembers),
)
def delete(
    organization_id: OrganizationId, actor: Admin, database: DatabaseOf, cache: CacheOf
) -> None:
    """Deletes an organization without members. Its API keys go; what was used stays counted."""
    changing = cache.changing(keys.organization(organization_id))
    with changing, database.begin(frees_space=True) as session:
        service.delete_organization(session, actor, organization_id)


@router.post("/{organization_id}/invitation", responses=raises(NotAManager, OrganizationNotFound))
def rotate_invitation(
    organization_id: OrganizationId, actor: AdminOrManager, database: DatabaseOf
) -> OrganizationDetails:
    """Makes a new invitation code; the old one lets nobody in any more."""
    with database.begin() as session:
        return service.rotate_invitation(session, actor, organization_id)


@router.delete(
    "/{organization_id}/invitation", responses=raises(NotAnAdministrator, OrganizationNotFound)
)
def remove_invitation(
    organization_id: OrganizationId, actor: Admin, database: DatabaseOf
) -> OrganizationDetails:
    """Takes the invitation code away: nobody can join."""
    with database.begin() as session:
        return service.remove_invitation(session, actor, organization_id)
