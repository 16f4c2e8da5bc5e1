from typing import Annotated

from fastapi import APIRouter, Path

from app.auth import api_keys
from app.auth.dependencies import CurrentUser
from app.auth.errors import KeyLimitReached, KeyNotFound
from app.auth.key_schemas import KeyChange, KeyIn, KeyOut, NewKey
from app.http.dependencies import DatabaseOf, SettingsOf
from app.http.documentation import raises
from app.http.routes import Route

router = APIRouter(route_class=Route, tags=["API keys"])

KeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("", status_code=201, responses=raises(KeyLimitReached))
def create(payload: KeyIn, user: CurrentUser, database: DatabaseOf, settings: SettingsOf) -> NewKey:
    """Makes a key. It is shown this once."""
    with database.begin() as session:
        return api_keys.create(session, settings, user.id, payload)


@router.get("")
def list_keys(user: CurrentUser, database: DatabaseOf) -> list[KeyOut]:
    """One's keys, newest first."""
    with database.read() as session:
        return api_keys.list_(session, user.id)


@router.patch("/{key_id}", responses=raises(KeyNotFound))
def change(key_id: KeyId, payload: KeyChange, user: CurrentUser, database: DatabaseOf) -> KeyOut:
    """Changes what is given, switches the key off or on, or lets its quota begin anew."""
    with database.begin() as session:
        return api_keys.change(session, user.id, key_id, payload)


@router.delete("/{key_id}", status_code=204, responses=raises(KeyNotFound))
def delete(key_id: KeyId, user: CurrentUser, database: DatabaseOf) -> None:
    with database.begin() as session:
        api_keys.delete(session, user.id, key_id)
