from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.exceptions import RequestValidationError

from app.auth.dependencies import CurrentUser
from app.diagrams import cache, service
from app.diagrams.schemas import DiagramIn, DiagramOut
from app.diagrams.service import DiagramPage
from app.diagrams.spec import InvalidSpec, check
from app.http.dependencies import DatabaseOf, RedisOf, SettingsOf
from app.http.pagination import CursorText, Limit

router = APIRouter(tags=["diagrams"])

DiagramId = Annotated[str, Path(max_length=36, pattern=r"^[0-9A-Za-z_-]+$")]


def checked(payload: DiagramIn, settings: SettingsOf) -> DiagramIn:
    """The payload with a spec of its kind, within the limits; else 422 with the JSON path."""
    try:
        check(
            payload.diagram_type,
            payload.spec,
            limit_kb=settings.diagram_spec_limit_kb,
            limit_nodes=settings.diagram_node_limit,
        )
    except InvalidSpec as error:
        problem = {"type": "spec", "loc": ("body", "spec"), "msg": str(error), "input": None}
        raise RequestValidationError([problem]) from error
    return payload


Checked = Annotated[DiagramIn, Depends(checked)]


@router.post("", status_code=201)
def create(payload: Checked, user: CurrentUser, database: DatabaseOf, redis: RedisOf) -> DiagramOut:
    with cache.list_changing(redis, user.id), database.begin() as session:
        return service.create(session, user.id, payload)


@router.get("")
def list_page(
    user: CurrentUser,
    database: DatabaseOf,
    redis: RedisOf,
    limit: Limit = 20,
    cursor: CursorText = None,
) -> DiagramPage:
    return service.list_page(database, redis, user.id, limit=limit, cursor=cursor)


@router.get("/{diagram_id}")
def read(diagram_id: DiagramId, user: CurrentUser, database: DatabaseOf) -> DiagramOut:
    with database.read() as session:
        return service.require(session, user.id, diagram_id)


@router.put("/{diagram_id}")
def replace(
    diagram_id: DiagramId,
    payload: Checked,
    user: CurrentUser,
    database: DatabaseOf,
    redis: RedisOf,
) -> DiagramOut:
    with cache.list_changing(redis, user.id), database.begin() as session:
        return service.replace(session, user.id, diagram_id, payload)


@router.delete("/{diagram_id}", status_code=204)
def delete(diagram_id: DiagramId, user: CurrentUser, database: DatabaseOf, redis: RedisOf) -> None:
    with cache.list_changing(redis, user.id), database.begin() as session:
        service.delete(session, user.id, diagram_id)
