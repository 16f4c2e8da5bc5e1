"""Which requests are counted, and what becomes of one too many."""

from collections.abc import Callable, Sequence

from fastapi import Request
from redis import Redis

from app import metrics
from app.cache import limits
from app.cache.limits import RateLimited, Rule, Standing
from app.http.addresses import AddressOf, address_of, network
from app.http.dependencies import RedisOf, SettingsOf
from app.http.responses import RESPONSE_HEADERS
from app.settings import Settings

# A whole school may come from one address.
ADDRESS = Rule("address", 6_000, 60)
ANONYMOUS = Rule("anonymous", 600, 60)
ACCOUNT = Rule("account", 1_200, 60)

CAPTCHA = Rule("captcha", 120, 60)
# To speak one takes a quarter of a second or more of one core.
SPOKEN = Rule("spoken", 30, 60)
LOGIN = Rule("login", 120, 60)
REGISTER = Rule("register", 120, 600)
RESET = Rule("reset", 60, 600)
# Each costs two hashes, of 64 MB and tens of milliseconds.
PASSWORD = Rule("password", 30, 600)
# A transfer can hold all that somebody has.
TRANSFER = Rule("transfer", 20, 600)


def limited(rule: Rule) -> Callable[..., None]:
    """A dependency for an endpoint that anybody may call: `rule` counts each client's calls."""

    def limit(request: Request, redis: RedisOf, settings: SettingsOf, address: AddressOf) -> None:
        client = network(address)
        enforce(request, redis, settings, [(ANONYMOUS, client), (rule, client)])

    return limit


def by_address(request: Request, redis: RedisOf, settings: SettingsOf, address: AddressOf) -> None:
    """A dependency for an endpoint that may be called with a login and without one."""
    enforce(request, redis, settings, [(ADDRESS, network(address))])


def count_unread(request: Request) -> None:
    """Counts a request whose body can't be read: no dependency has seen it.

    Raises:
        RateLimited: as `enforce`.
    """
    state = request.app.state
    client = network(address_of(request))
    enforce(request, state.redis, state.settings, [(ANONYMOUS, client)])


def enforce(
    request: Request, redis: Redis, settings: Settings, counted: Sequence[tuple[Rule, str]]
) -> None:
    """Counts the request, each rule for whom it names, and says so in the response's headers.

    Raises:
        RateLimited: one of the rules has nothing left.
    """
    if not settings.rate_limits:
        return
    note(request, limits.take(redis, counted))


def note(request: Request, standing: Standing | None) -> None:
    """Says in the response's headers how things stand. Raises RateLimited."""
    if standing is None:
        return
    request.scope["state"][RESPONSE_HEADERS] = standing.headers
    if standing.refused:
        metrics.RATE_LIMIT_REFUSALS.labels(standing.tightest.name).inc()
        raise RateLimited(retry_after=max(1, standing.reset_s))
