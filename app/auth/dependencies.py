"""Who is asking. One dependency finds it out, counts the request, and only then refuses it.

It takes the shortcut where it can, and else goes the long way in a thread.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    HTTPAuthorizationCredentials,
    HTTPBearer,
)
from redis import Redis

from app.auth import api_keys, sessions, shortcut
from app.auth.errors import NotLoggedIn
from app.auth.key_schemas import Scope
from app.auth.shortcut import Passed
from app.cache.entries import Cache
from app.cache.glances import Glances
from app.cache.limits import Rule
from app.db.session import Database
from app.errors import AppError, Forbidden, Unauthorized
from app.http import limiting
from app.http.addresses import AddressOf, address_of, network
from app.organizations import service as organizations
from app.settings import Settings
from app.users import service as users
from app.users.schemas import Account, UserOut

SESSION_COOKIE = "mindgraph_session"

cookie = APIKeyCookie(name=SESSION_COOKIE, auto_error=False, scheme_name="session")
bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key")
header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="key in X-API-Key")

SessionToken = Annotated[str | None, Depends(cookie)]


@dataclass(frozen=True)
class Caller:
    """Whoever a request comes from: a user, by a session or by a key."""

    user: UserOut
    address: str
    key_id: int | None = None


@dataclass(frozen=True)
class Credentials:
    """What came with a request to say who is asking."""

    token: str | None
    key: str | None


async def get_credentials(
    token: SessionToken = None,
    authorization: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    key: Annotated[str | None, Security(header)] = None,
) -> Credentials:
    return Credentials(token, authorization.credentials if authorization else key)


@dataclass(frozen=True)
class Found:
    account: Account
    key: api_keys.Presented | None = None


@dataclass(frozen=True)
class Identification:
    """Looks for whoever is asking, and counts what they ask."""

    database: Database
    redis: Redis
    cache: Cache
    settings: Settings
    address: str

    def identify(self, credentials: Credentials, scope: Scope | None) -> Found | None:
        """None when nobody is logged in."""
        if credentials.key is not None:
            key = api_keys.check(self.database, credentials.key, scope)
            account = users.find(self.database, self.cache, key.user_id)
            found = Found(account, key) if account else None
        else:
            found = self._by_session(credentials.token)
        # Who closed the own organization must be able to open it again.
        if found and found.account.role != "admin":
            organization_id = found.account.organization_id
            organizations.require_standing(self.database, self.cache, organization_id)
        return found

    def count(self, request: Request, found: Found | None, rule: Rule | None) -> None:
        if found is None:
            counted = [(limiting.ANONYMOUS, network(self.address))]
        else:
            counted = counted_for(self.address, found.account.id, rule)
        limiting.enforce(request, self.redis, self.settings, counted)

    def _by_session(self, token: str | None) -> Found | None:
        if not token:
            return None
        session = sessions.find(self.redis, self.settings, token)
        if session is None:
            return None
        account = users.find(self.database, self.cache, session.user_id)
        # In another epoch it was opened with a password that was changed since.
        if account is None or account.session_epoch != session.epoch:
            return None
        return Found(account)


def counted_for(address: str, user_id: int, rule: Rule | None) -> list[tuple[Rule, str]]:
    """The limits of a request by somebody who is logged in, each with whom it counts."""
    account = str(user_id)
    counted = [(limiting.ADDRESS, network(address)), (limiting.ACCOUNT, account)]
    return [*counted, (rule, account)] if rule else counted


async def by_shortcut(
    request: Request,
    token: str | None,
    rule: Rule | None = None,
    also: Callable[[int], str] | None = None,
) -> Passed | None:
    """`shortcut.find` for a request; its answer tells how the limits stand.

    Args:
        request: what is asked.
        token: of the session, as it was sent.
        rule: a limit besides those of everything.
        also: makes the key of the copy that must be there as well, by the user's id.

    Raises:
        RateLimited.
    """
    user_id = sessions.user_of(token or "")
    if token is None or user_id is None:
        return None
    settings: Settings = request.app.state.settings
    counted = counted_for(address_of(request), user_id, rule) if settings.rate_limits else []
    copies = [also(user_id)] if also else []
    glances: Glances = request.app.state.glances
    passed = await shortcut.find(glances, settings, token, user_id, counted, copies)
    if passed is not None:
        limiting.note(request, passed.standing)
    return passed


def allow(scope: Scope | None = None, rule: Rule | None = None) -> Callable[..., Awaitable[Caller]]:
    """A dependency that finds out who is asking.

    Args:
        scope: what a key must be good for; None where only a login will do.
        rule: counts each account's calls of this endpoint.

    Returns:
        A dependency that raises NotLoggedIn, OrganizationClosed, RateLimited, RedisUnavailable, and
        for keys InvalidKey, ScopeMissing, KeyWithoutUser, KeyQuotaReached.
    """

    async def authenticate(
        request: Request,
        credentials: Annotated[Credentials, Depends(get_credentials)],
        address: AddressOf,
    ) -> Caller:
        token = None if credentials.key is not None else credentials.token
        passed = await by_shortcut(request, token, rule)
        if passed is not None:
            return Caller(passed.account, address)
        return await run_in_threadpool(go_long_way, request, credentials, address)

    def go_long_way(request: Request, credentials: Credentials, address: str) -> Caller:
        state = request.app.state
        who = Identification(state.database, state.redis, state.cache, state.settings, address)
        found: Found | None = None
        refusal: AppError | None = None
        try:
            found = who.identify(credentials, scope)
        except (Unauthorized, Forbidden) as error:
            refusal = error
        # Refused calls are counted as well, or guessing would cost nothing.
        who.count(request, found, rule)
        if found is None:
            raise refusal or NotLoggedIn
        if found.key:
            api_keys.count(state.database, found.key)
        return Caller(found.account, address, found.key.id if found.key else None)

    return authenticate


def user_with(scope: Scope | None = None, rule: Rule | None = None) -> Callable[..., Any]:
    """`allow`, for endpoints that only want to know the user."""

    async def user(caller: Annotated[Caller, Depends(allow(scope, rule))]) -> UserOut:
        return caller.user

    return user


# By a login, not by a key.
ByLogin = Annotated[Caller, Depends(allow())]


async def logged_in(caller: ByLogin) -> UserOut:
    return caller.user


CurrentUser = Annotated[UserOut, Depends(logged_in)]
