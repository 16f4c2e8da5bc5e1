"""Who is asking. One dependency finds it out, counts the request, and only then refuses it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    HTTPAuthorizationCredentials,
    HTTPBearer,
)
from redis import Redis

from app.auth import api_keys, sessions
from app.auth.errors import NotLoggedIn
from app.auth.key_schemas import Scope
from app.cache.entries import Cache
from app.cache.limits import Rule
from app.db.session import Database
from app.errors import AppError, Forbidden, Unauthorized
from app.http import limiting
from app.http.addresses import AddressOf, network
from app.http.dependencies import CacheOf, DatabaseOf, RedisOf, SettingsOf
from app.organizations import service as organizations
from app.settings import Settings
from app.users import service as users
from app.users.schemas import Account, UserOut

SESSION_COOKIE = "mindgraph_session"
LONGEST_CREDENTIAL = 200

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
        client = network(self.address)
        if found is None:
            counted = [(limiting.ANONYMOUS, client)]
        else:
            account = str(found.account.id)
            counted = [(limiting.ADDRESS, client), (limiting.ACCOUNT, account)]
            counted += [(rule, account)] if rule else []
        limiting.enforce(request, self.redis, self.settings, counted)

    def _by_session(self, token: str | None) -> Found | None:
        if not token or len(token) > LONGEST_CREDENTIAL:
            return None
        session = sessions.find(self.redis, self.settings, token)
        if session is None:
            return None
        account = users.find(self.database, self.cache, session.user_id)
        # In another epoch it was opened with a password that was changed since.
        if account is None or account.session_epoch != session.epoch:
            return None
        return Found(account)


def allow(scope: Scope | None = None, rule: Rule | None = None) -> Callable[..., Caller]:
    """A dependency that finds out who is asking.

    Args:
        scope: what a key must be good for; None where only a login will do.
        rule: counts each account's calls of this endpoint.

    Returns:
        A dependency that raises NotLoggedIn, OrganizationClosed, RateLimited, RedisUnavailable, and
        for keys InvalidKey, ScopeMissing, KeyWithoutUser, KeyQuotaReached.
    """

    def authenticate(
        request: Request,
        credentials: Annotated[Credentials, Depends(get_credentials)],
        database: DatabaseOf,
        redis: RedisOf,
        cache: CacheOf,
        settings: SettingsOf,
        address: AddressOf,
    ) -> Caller:
        who = Identification(database, redis, cache, settings, address)
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
            api_keys.count(database, found.key)
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
