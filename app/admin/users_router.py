from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.admin import service
from app.admin.dependencies import Admin, AdminOrManager
from app.admin.errors import (
    NotAManager,
    NotAnAdministrator,
    NotAPlainMember,
    UnknownOrganization,
)
from app.admin.schemas import Deletion, Person, PersonDetails, ResetLink
from app.cache import keys
from app.http.dependencies import CacheOf, DatabaseOf, RedisOf, SettingsOf
from app.http.documentation import raises
from app.http.fields import RowNumber, Text
from app.http.pagination import CursorText, InvalidCursor, Limit, Page
from app.http.routes import Route
from app.knowledge import service as knowledge
from app.knowledge.dependencies import FilesOf, Wake
from app.organizations.errors import OrganizationNotFound
from app.users.errors import LastAdministrator, ManagerNeedsOrganization, UserNotFound
from app.users.schemas import Role, UserFilter, UserPatch, UserRow

router = APIRouter(route_class=Route, tags=["administration of users"])

UserId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Search = Annotated[
    Text | None, Query(max_length=100, description="A part of the name or of the login name.")
]


@router.get("", responses=raises(NotAManager, OrganizationNotFound, InvalidCursor))
def list_page(
    actor: AdminOrManager,
    database: DatabaseOf,
    redis: RedisOf,
    q: Search = None,
    organization_id: RowNumber | None = None,
    role: Role | None = None,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[Person]:
    """Users, newest first. A manager sees the members of the own organization."""
    chosen = UserFilter(search=q, organization_id=organization_id, role=role)
    return service.list_people(database, redis, actor, chosen, limit=limit, cursor=cursor)


@router.get("/{user_id}", responses=raises(NotAManager, UserNotFound))
def read(
    user_id: UserId, actor: AdminOrManager, database: DatabaseOf, redis: RedisOf
) -> PersonDetails:
    """A manager reads the members of the own organization."""
    return service.require_person(database, redis, actor, user_id)


@router.patch(
    "/{user_id}",
    responses=raises(
        NotAnAdministrator,
        UserNotFound,
        UnknownOrganization,
        LastAdministrator,
        ManagerNeedsOrganization,
    ),
)
def change(
    user_id: UserId, payload: UserPatch, actor: Admin, database: DatabaseOf, cache: CacheOf
) -> UserRow:
    """Changes what is given. With another role or organization, an open reset link is void."""
    with cache.changing(keys.user(user_id)), database.begin() as session:
        return service.change_user(session, actor, user_id, payload)


@router.post(
    "/{user_id}/unlock",
    status_code=204,
    responses=raises(NotAManager, NotAPlainMember, UserNotFound),
)
def unlock(user_id: UserId, actor: AdminOrManager, database: DatabaseOf, redis: RedisOf) -> None:
    """Ends the lock that wrong passwords put on a login name."""
    with database.begin() as session:
        service.unlock(session, redis, actor, user_id)


@router.post(
    "/{user_id}/password-reset",
    status_code=201,
    responses=raises(NotAManager, NotAPlainMember, UserNotFound),
)
def reset_password(
    user_id: UserId, actor: AdminOrManager, database: DatabaseOf, settings: SettingsOf
) -> ResetLink:
    """Makes a link with which the user sets a new password, once. It is shown this once."""
    with database.begin() as session:
        return service.issue_reset(session, settings, actor, user_id)


@router.post(
    "/{user_id}/logout", status_code=204, responses=raises(NotAnAdministrator, UserNotFound)
)
def log_out(user_id: UserId, actor: Admin, database: DatabaseOf, cache: CacheOf) -> None:
    """Ends all sessions of a user."""
    with cache.changing(keys.user(user_id)), database.begin() as session:
        service.log_out(session, actor, user_id)


@router.get("/{user_id}/deletion", responses=raises(NotAnAdministrator, UserNotFound))
def preview_deletion(user_id: UserId, _: Admin, database: DatabaseOf) -> Deletion:
    """What a deletion would take along, and what it would leave. Changes nothing."""
    with database.read() as session:
        return service.preview_deletion(session, user_id)


@router.delete("/{user_id}", responses=raises(NotAnAdministrator, UserNotFound, LastAdministrator))
def delete(
    user_id: UserId, actor: Admin, database: DatabaseOf, cache: CacheOf, files: FilesOf, wake: Wake
) -> Deletion:
    """Deletes a user with all diagrams, documents and API keys. What was used and what was done
    stays."""
    changing = cache.changing(keys.user(user_id))
    with changing, database.begin(frees_space=True) as session:
        deletion, doomed = service.delete_user(session, actor, user_id)
    knowledge.discard_files(database, files, doomed)
    wake()
    return deletion
