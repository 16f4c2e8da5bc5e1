from fastapi import APIRouter, Response

from app.auth import service, sessions
from app.auth.dependencies import SESSION_COOKIE, CurrentUser, SessionToken
from app.auth.schemas import Credentials, Registration
from app.http.dependencies import DatabaseOf, RedisOf, SettingsOf
from app.users.schemas import UserOut

router = APIRouter(tags=["accounts"])


@router.post("/register", status_code=201)
def register(payload: Registration, database: DatabaseOf) -> UserOut:
    return service.register(database, payload)


@router.post("/login")
def log_in(
    payload: Credentials,
    response: Response,
    database: DatabaseOf,
    redis: RedisOf,
    settings: SettingsOf,
) -> UserOut:
    user, token = service.log_in(database, redis, settings, payload)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=settings.session_max_days * 86_400,
        httponly=True,
        samesite="lax",
        secure=settings.production,
    )
    return user


@router.post("/logout", status_code=204)
def log_out(redis: RedisOf, response: Response, token: SessionToken = None) -> None:
    if token:
        sessions.revoke(redis, token)
    response.delete_cookie(SESSION_COOKIE)


@router.get("/me")
def show_me(user: CurrentUser) -> UserOut:
    return user
