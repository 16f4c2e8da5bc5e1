from typing import Annotated

from fastapi import Cookie, Depends

from app.auth import sessions
from app.auth.errors import NotLoggedIn
from app.http.dependencies import DatabaseOf, RedisOf, SettingsOf
from app.organizations import service as organizations
from app.users import service as users
from app.users.schemas import UserOut

SESSION_COOKIE = "mindgraph_session"
SessionToken = Annotated[str | None, Cookie(alias=SESSION_COOKIE, max_length=200)]


def current_user(
    database: DatabaseOf, redis: RedisOf, settings: SettingsOf, token: SessionToken = None
) -> UserOut:
    """The user of the request's session. Raises NotLoggedIn, OrganizationClosed."""
    user_id = sessions.find(redis, settings, token) if token else None
    if user_id is None:
        raise NotLoggedIn
    with database.read() as session:
        user = users.get(session, user_id)
        if user is None:
            raise NotLoggedIn
        organizations.require_open(session, user.organization_id)
        return UserOut.model_validate(user)


CurrentUser = Annotated[UserOut, Depends(current_user)]
