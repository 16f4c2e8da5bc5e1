"""What administrators and managers do. Each change leaves an event in the audit trail, in the
transaction that makes it."""

from datetime import timedelta
from typing import Protocol, TypeVar

from redis import Redis
from sqlalchemy.orm import Session

from app import clock
from app.admin import audit
from app.admin.errors import NotAPlainMember, UnknownOrganization
from app.admin.schemas import (
    Actor,
    AuditFilter,
    AuditOut,
    DeletedRows,
    Deletion,
    KeptRows,
    OrganizationDetails,
    Person,
    PersonDetails,
    ResetLink,
)
from app.auth import service as auth
from app.db.session import Database
from app.diagrams import service as diagrams
from app.http import pagination
from app.http.pagination import Page
from app.knowledge import service as knowledge
from app.organizations import service as organizations
from app.organizations.errors import OrganizationNotFound
from app.organizations.schemas import OrganizationIn, OrganizationOut, OrganizationPatch
from app.settings import Settings
from app.usage import service as usage
from app.users import service as users
from app.users.errors import UserNotFound
from app.users.schemas import UserFilter, UserPatch, UserRow

RESET_PATH = "/reset-password?token="


class Numbered(Protocol):
    id: int


Row = TypeVar("Row", bound=Numbered)


def create_organization(
    session: Session, actor: Actor, payload: OrganizationIn
) -> OrganizationDetails:
    """Raises OrganizationCodeTaken."""
    made = organizations.create(session, **payload.model_dump())
    details = payload.model_dump(mode="json")
    audit.note(session, actor, "organization.create", ("organization", made.id), details)
    return _with_members(session, [made])[0]


def list_organizations(
    session: Session, *, search: str | None, limit: int, cursor: str | None
) -> Page[OrganizationDetails]:
    """Raises InvalidCursor."""
    found = organizations.list_page(
        session, search=search, limit=limit + 1, before=_position(cursor)
    )
    rows, next_cursor = _cut(found, limit)
    return Page(items=_with_members(session, rows), next_cursor=next_cursor)


def require_organization(
    session: Session, actor: Actor, organization_id: int
) -> OrganizationDetails:
    """Raises OrganizationNotFound, also for one that a manager doesn't manage."""
    _require_own(actor, organization_id)
    return _with_members(session, [organizations.require(session, organization_id)])[0]


def change_organization(
    session: Session, actor: Actor, organization_id: int, patch: OrganizationPatch
) -> OrganizationDetails:
    """Raises OrganizationNotFound, OrganizationCodeTaken."""
    values = patch.model_dump(exclude_unset=True)
    before, after = organizations.change(session, organization_id, values)
    changed = audit.differences(before, after)
    if changed:
        target = ("organization", organization_id)
        audit.note(session, actor, "organization.change", target, changed)
    return _with_members(session, [after])[0]


def delete_organization(session: Session, actor: Actor, organization_id: int) -> None:
    """Raises OrganizationNotFound, OrganizationHasMembers."""
    deleted = organizations.delete(session, organization_id)
    details = {"code": deleted.code, "name": deleted.name}
    audit.note(session, actor, "organization.delete", ("organization", organization_id), details)


def rotate_invitation(session: Session, actor: Actor, organization_id: int) -> OrganizationDetails:
    """Raises OrganizationNotFound, also for one that a manager doesn't manage."""
    _require_own(actor, organization_id)
    after = organizations.rotate_invitation(session, organization_id)
    audit.note(session, actor, "invitation.rotate", ("organization", organization_id))
    return _with_members(session, [after])[0]


def remove_invitation(session: Session, actor: Actor, organization_id: int) -> OrganizationDetails:
    """Nobody can join from now on. Raises OrganizationNotFound."""
    before, after = organizations.change(session, organization_id, {"invitation_code": None})
    if before.invitation_code is not None:
        audit.note(session, actor, "invitation.remove", ("organization", organization_id))
    return _with_members(session, [after])[0]


def list_people(
    database: Database,
    redis: Redis,
    actor: Actor,
    chosen: UserFilter,
    *,
    limit: int,
    cursor: str | None,
) -> Page[Person]:
    """Users newest first; a manager sees the members of the own organization.

    Raises:
        InvalidCursor, OrganizationNotFound, RedisUnavailable.
    """
    if actor.scope is not None:
        if chosen.organization_id is not None:
            _require_own(actor, chosen.organization_id)
        chosen = chosen.model_copy(update={"organization_id": actor.scope})
    before = _position(cursor)
    with database.read() as session:
        found = users.list_page(session, chosen, limit=limit + 1, before=before)
    rows, next_cursor = _cut(found, limit)
    locks = auth.locked_until(redis, [one.login for one in rows])
    people = [Person(**one.model_dump(), locked_until=locks.get(one.login)) for one in rows]
    return Page(items=people, next_cursor=next_cursor)


def require_person(database: Database, redis: Redis, actor: Actor, user_id: int) -> PersonDetails:
    """Raises UserNotFound, also for one whom a manager doesn't manage; RedisUnavailable."""
    with database.read() as session:
        user = users.require(session, user_id)
        _require_visible(actor, user)
        live, in_trash = (
            diagrams.count(session, user_id, in_trash=trashed) for trashed in (False, True)
        )
    return PersonDetails(
        **user.model_dump(),
        locked_until=auth.locked_until(redis, [user.login]).get(user.login),
        diagrams=live,
        diagrams_in_trash=in_trash,
    )


def change_user(session: Session, actor: Actor, user_id: int, patch: UserPatch) -> UserRow:
    """Raises UserNotFound, UnknownOrganization, LastAdministrator, ManagerNeedsOrganization."""
    values = patch.model_dump(exclude_unset=True)
    if values.get("organization_id") is not None:
        _require_known(session, values["organization_id"])
    before, after = users.change(session, user_id, values)
    changed = audit.differences(before, after)
    if changed:
        action = "user.role" if "role" in changed else "user.change"
        audit.note(session, actor, action, ("user", user_id), changed)
    if changed.keys() & {"role", "organization_id"}:
        # It may be from a manager, who is to get no administrator's account with it, and none of
        # another organization.
        auth.withdraw_reset(session, user_id)
    return users.require(session, user_id)


def unlock(session: Session, redis: Redis, actor: Actor, user_id: int) -> None:
    """Lets the user try to log in again.

    Raises:
        UserNotFound, NotAPlainMember, RedisUnavailable.
    """
    user = _require_managed(session, actor, user_id)
    audit.note(session, actor, "user.unlock", ("user", user_id))
    # Within the transaction, and last: what Redis didn't do leaves no event.
    auth.unlock(redis, user.login)


def issue_reset(session: Session, settings: Settings, actor: Actor, user_id: int) -> ResetLink:
    """A link with which the user sets a new password; one from before is dead.

    Raises:
        UserNotFound, NotAPlainMember.
    """
    _require_managed(session, actor, user_id)
    # Not later than it really is.
    expires_at = clock.now() + timedelta(hours=settings.reset_link_hours)
    token = auth.issue_reset(session, user_id, settings.reset_link_hours)
    details = {"expires_at": expires_at.isoformat()}
    audit.note(session, actor, "user.password_reset", ("user", user_id), details)
    return ResetLink(token=token, path=f"{RESET_PATH}{token}", expires_at=expires_at)


def log_out(session: Session, actor: Actor, user_id: int) -> None:
    """Ends all sessions of a user. Raises UserNotFound."""
    users.require_for_update(session, user_id)
    users.end_sessions(session, user_id)
    audit.note(session, actor, "user.logout", ("user", user_id))


def preview_deletion(session: Session, user_id: int) -> Deletion:
    """What a deletion would do. Raises UserNotFound."""
    users.require(session, user_id)
    owned = diagrams.count_all_of(session, user_id)
    return _deletion(session, user_id, owned, knowledge.count(session, user_id))


def delete_user(session: Session, actor: Actor, user_id: int) -> tuple[Deletion, list[str]]:
    """Deletes a user; what went, and what stayed without the user, and the uploaded files that may
    be needed no longer.

    Raises:
        UserNotFound, LastAdministrator.
    """
    user = users.require_deletable(session, user_id)
    owned = diagrams.delete_all_of(session, user_id)
    documents = knowledge.count(session, user_id)
    # Their points and files go afterwards.
    doomed = knowledge.delete_all_of(session, user_id)
    deletion = _deletion(session, user_id, owned, documents)
    details = {"login": user.login, "name": user.name} | deletion.model_dump()
    # Before the deletion: one's own account is there to refer to until then.
    audit.note(session, actor, "user.delete", ("user", user_id), details)
    users.delete(session, user_id)
    return deletion, doomed


def list_events(
    session: Session, chosen: AuditFilter, *, limit: int, cursor: str | None
) -> Page[AuditOut]:
    """The audit trail, newest first. Raises InvalidCursor."""
    found = audit.list_page(session, chosen, limit=limit + 1, before=_position(cursor))
    events, next_cursor = _cut(found, limit)
    return Page(items=events, next_cursor=next_cursor)


def _with_members(session: Session, found: list[OrganizationOut]) -> list[OrganizationDetails]:
    members = users.count_members(session, [one.id for one in found])
    return [OrganizationDetails(**one.model_dump(), members=members[one.id]) for one in found]


def _deletion(session: Session, user_id: int, owned: diagrams.Counts, documents: int) -> Deletion:
    return Deletion(
        deleted=DeletedRows(
            diagrams=owned.diagrams,
            diagram_versions=owned.versions,
            documents=documents,
            api_keys=auth.count_keys_of(session, user_id),
        ),
        kept=KeptRows(
            token_usage=usage.count_of(session, user_id),
            audit_events=audit.count_of_user(session, user_id),
        ),
    )


def _require_own(actor: Actor, organization_id: int) -> None:
    if actor.scope is not None and actor.scope != organization_id:
        raise OrganizationNotFound


def _require_visible(actor: Actor, user: UserRow) -> None:
    if actor.scope is not None and actor.scope != user.organization_id:
        raise UserNotFound


def _require_managed(session: Session, actor: Actor, user_id: int) -> UserRow:
    """A user for whom the actor may do something, as long as the transaction lasts."""
    user = users.require_for_update(session, user_id)
    _require_visible(actor, user)
    if not actor.is_admin and user.role != "user":
        raise NotAPlainMember
    return user


def _require_known(session: Session, organization_id: int) -> None:
    try:
        organizations.require(session, organization_id)
    except OrganizationNotFound as error:
        raise UnknownOrganization from error


def _cut(found: list[Row], limit: int) -> tuple[list[Row], str | None]:
    """A page, of what was asked for with one more, and the cursor of the next one."""
    rows = found[:limit]
    return rows, pagination.encode(rows[-1].id) if len(found) > limit else None


def _position(cursor: str | None) -> int | None:
    if not cursor:
        return None
    row_id: int = pagination.decode(cursor, int)[0]
    return row_id
