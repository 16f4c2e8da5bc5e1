from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Header, Path, Request, Response

from app.auth import captcha, service, sessions
from app.auth.dependencies import SESSION_COOKIE, CurrentUser, SessionToken, user_with
from app.auth.errors import (
    InvalidCaptcha,
    InvalidResetToken,
    LoginLocked,
    PasswordIsLogin,
    SessionNotFound,
    WrongCredentials,
    WrongPassword,
)
from app.auth.schemas import (
    CaptchaIn,
    CaptchaOut,
    Credentials,
    PasswordChange,
    PasswordResetIn,
    Registration,
    SessionOut,
)
from app.auth.sessions import Device
from app.http import limiting
from app.http.addresses import AddressOf, network
from app.http.dependencies import CacheOf, DatabaseOf, RedisOf, SettingsOf
from app.http.documentation import raises
from app.http.limiting import limited
from app.http.routes import Route
from app.organizations.errors import OrganizationClosed, UnknownInvitation
from app.settings import Settings
from app.users.errors import LoginTaken
from app.users.schemas import Profile, UserOut

router = APIRouter(route_class=Route, tags=["accounts"])

SessionId = Annotated[str, Path(max_length=64)]
Agent = Annotated[str | None, Header(alias="user-agent", include_in_schema=False)]
# Where nobody needs to be logged in, so that the documentation asks for no login.
OldToken = Annotated[str | None, Cookie(alias=SESSION_COOKIE, include_in_schema=False)]


async def get_device(address: AddressOf, agent: Agent = None) -> Device:
    return Device(address, agent)


DeviceOf = Annotated[Device, Depends(get_device)]
PasswordChanger = Annotated[UserOut, Depends(user_with(rule=limiting.PASSWORD))]


def limit_spoken(
    payload: CaptchaIn, request: Request, redis: RedisOf, settings: SettingsOf, address: AddressOf
) -> None:
    if payload.kind == "audio":
        limiting.enforce(request, redis, settings, [(limiting.SPOKEN, network(address))])


@router.post(
    "/captcha",
    status_code=201,
    dependencies=[Depends(limited(limiting.CAPTCHA)), Depends(limit_spoken)],
)
def make_captcha(payload: CaptchaIn, redis: RedisOf) -> CaptchaOut:
    return captcha.create(redis, payload.kind)


@router.post(
    "/register",
    status_code=201,
    dependencies=[Depends(limited(limiting.REGISTER))],
    responses=raises(InvalidCaptcha, LoginTaken, OrganizationClosed, UnknownInvitation),
)
def register(
    payload: Registration, database: DatabaseOf, redis: RedisOf, settings: SettingsOf
) -> UserOut:
    captcha.require(redis, settings, payload.captcha_id, payload.captcha_answer)
    return service.register(database, payload)


@router.post(
    "/login",
    dependencies=[Depends(limited(limiting.LOGIN))],
    responses=raises(InvalidCaptcha, LoginLocked, OrganizationClosed, WrongCredentials),
)
def log_in(
    payload: Credentials,
    device: DeviceOf,
    response: Response,
    database: DatabaseOf,
    redis: RedisOf,
    settings: SettingsOf,
    old_token: OldToken = None,
) -> UserOut:
    user, token = service.log_in(
        database, redis, settings, payload, device=device, old_token=old_token
    )
    _set_cookie(response, settings, token)
    return user


@router.post("/logout", status_code=204, dependencies=[Depends(limiting.by_address)])
def log_out(redis: RedisOf, response: Response, token: OldToken = None) -> None:
    if token:
        sessions.revoke(redis, token)
    response.delete_cookie(SESSION_COOKIE)


@router.post("/logout-everywhere", status_code=204)
def log_out_everywhere(user: CurrentUser, redis: RedisOf, response: Response) -> None:
    sessions.revoke_all(redis, user.id)
    response.delete_cookie(SESSION_COOKIE)


@router.get("/sessions")
def list_sessions(
    user: CurrentUser,
    database: DatabaseOf,
    redis: RedisOf,
    settings: SettingsOf,
    token: SessionToken = None,
) -> list[SessionOut]:
    return service.list_sessions(database, redis, settings, user.id, token)


@router.delete("/sessions/{session_id}", status_code=204, responses=raises(SessionNotFound))
def revoke_session(session_id: SessionId, user: CurrentUser, redis: RedisOf) -> None:
    service.revoke_session(redis, user.id, session_id)


@router.put(
    "/password",
    status_code=204,
    responses=raises(InvalidCaptcha, LoginLocked, PasswordIsLogin, WrongPassword),
)
def change_password(
    payload: PasswordChange,
    user: PasswordChanger,
    device: DeviceOf,
    response: Response,
    database: DatabaseOf,
    redis: RedisOf,
    cache: CacheOf,
    settings: SettingsOf,
    token: SessionToken = None,
) -> None:
    """Changes the password, which ends all other sessions."""
    new_token = service.change_password(
        database, redis, cache, settings, user.id, payload, device=device, token=token
    )
    if new_token:
        _set_cookie(response, settings, new_token)
    else:
        response.delete_cookie(SESSION_COOKIE)


@router.post(
    "/password-reset",
    status_code=204,
    dependencies=[Depends(limited(limiting.RESET))],
    responses=raises(InvalidResetToken, PasswordIsLogin),
)
def reset_password(
    payload: PasswordResetIn, database: DatabaseOf, redis: RedisOf, cache: CacheOf
) -> None:
    """Sets the password of whoever a one-time token was made for."""
    service.reset_password(database, redis, cache, payload)


@router.get("/me")
async def show_me(user: CurrentUser) -> UserOut:
    return user


@router.patch("/me")
def change_me(payload: Profile, user: CurrentUser, database: DatabaseOf, cache: CacheOf) -> UserOut:
    """Changes what is given; null takes it away."""
    return service.change_profile(database, cache, user.id, payload)


def _set_cookie(response: Response, settings: Settings, token: str) -> None:
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=settings.session_max_days * 86_400,
        httponly=True,
        samesite="lax",
        secure=settings.production,
    )
