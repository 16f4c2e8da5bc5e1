from typing import Annotated

from fastapi import APIRouter, Query

from app.admin import organizations_router, service, users_router
from app.admin.dependencies import Admin
from app.admin.errors import NotAnAdministrator
from app.admin.schemas import AuditFilter, AuditOut
from app.http.dependencies import DatabaseOf
from app.http.documentation import raises
from app.http.fields import Moment, RowNumber, Text
from app.http.pagination import CursorText, InvalidCursor, Limit, Page
from app.http.routes import Route

router = APIRouter(route_class=Route)
router.include_router(organizations_router.router, prefix="/organizations")
router.include_router(users_router.router, prefix="/users")

From = Annotated[Moment | None, Query(alias="from", description="The first moment.")]
To = Annotated[Moment | None, Query(alias="to", description="The first moment after.")]


@router.get("/audit", tags=["audit trail"], responses=raises(NotAnAdministrator, InvalidCursor))
def list_events(
    _: Admin,
    database: DatabaseOf,
    actor_id: RowNumber | None = None,
    action: Annotated[Text | None, Query(max_length=50)] = None,
    target_type: Annotated[Text | None, Query(max_length=30)] = None,
    target_id: Annotated[Text | None, Query(max_length=36)] = None,
    since: From = None,
    until: To = None,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> Page[AuditOut]:
    """What administrators and managers have changed, newest first."""
    chosen = AuditFilter(
        actor_id=actor_id,
        action=action,
        target_type=target_type,
        target_id=target_id,
        since=since,
        until=until,
    )
    with database.read() as session:
        return service.list_events(session, chosen, limit=limit, cursor=cursor)
