"""The usual answer to who is asking: somebody with a session, of whom Redis has all that is asked.

One round trip and no thread. Whatever is unusual about a request, a key, no session, a copy that is
gone, an organization that is closed, a Redis that is away, is left to the long way of
`dependencies.Identification`, which decides what becomes of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.auth import sessions
from app.cache import keys, limits
from app.cache.glances import Glances, as_model
from app.cache.limits import Rule
from app.organizations import service as organizations
from app.organizations.schemas import Standing
from app.settings import Settings
from app.users.schemas import Account

# KEYS: the session, the index of its user's sessions, the copies of the user's account and of what
# is asked for, and those of the limits. ARGV: the session's hash, how long it may be idle in
# seconds, what stands before an organization's id, how many keys are no limits', and the limits'
# numbers. Nothing is counted for whom it sends away.
PASS = (
    limits.FUNCTION
    + """
local session, copy = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[3])
if not session or not copy or not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
session = cjson.decode(session)
local account = cjson.decode(string.match(copy, ' (.*)'))
local now = tonumber(redis.call('TIME')[1])
if session.ends <= now or session.epoch ~= account.session_epoch then return false end
local organization = ''
if account.role ~= 'admin' and account.organization_id ~= cjson.null then
    local id = string.format('%d', account.organization_id)
    organization = redis.call('GET', ARGV[3] .. id)
    if not organization then return false end
end
local others = tonumber(ARGV[4])
local found = {false, copy, organization}
for at = 4, others do
    found[at] = redis.call('GET', KEYS[at])
    if not found[at] then return false end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
if #KEYS > others then found[1] = take({unpack(KEYS, others + 1)}, {unpack(ARGV, 5)}) end
return found
"""
)


@dataclass(frozen=True)
class Passed:
    account: Account
    # Of the limits; None where none were asked for.
    standing: limits.Standing | None
    # What was asked for besides.
    copies: tuple[bytes, ...] = ()


async def find(
    glances: Glances,
    settings: Settings,
    token: str,
    user_id: int,
    counted: Sequence[tuple[Rule, str]],
    also: Sequence[str] = (),
) -> Passed | None:
    """Who a session's token belongs to, counted for the limits; its session lives on from now.

    Args:
        glances: of this process.
        settings: for how long a session may be idle.
        token: of the session, as it was sent.
        user_id: whom it says that it belongs to.
        counted: the limits, each with whom it counts.
        also: keys of copies that must be there as well.

    Returns:
        None when only the long way can tell.
    """
    token_hash = sessions.hash_of(token)
    rates, numbers = limits.arguments(counted)
    others = [keys.session(token_hash), keys.sessions_of(user_id), keys.user(user_id), *also]
    found = await glances.run(
        PASS,
        [*others, *rates],
        token_hash,
        sessions.idle_s(settings),
        keys.ORGANIZATIONS,
        len(others),
        *numbers,
    )
    if not found:
        return None
    taken, copy, organization, *copies = found
    account = as_model(Account, glances.believed(keys.user(user_id), copy))
    pairs = zip(also, copies, strict=True)
    contents = tuple(one for one in (glances.believed(*pair) for pair in pairs) if one)
    if account is None or len(contents) < len(also):
        return None
    if organization and not _is_open(glances, account, organization):
        return None
    return Passed(account, limits.standing(counted, taken) if taken else None, contents)


def _is_open(glances: Glances, account: Account, copy: bytes) -> bool:
    assert account.organization_id is not None
    content = glances.believed(keys.organization(account.organization_id), copy)
    standing = as_model(Standing, content)
    return standing is not None and organizations.is_open(standing)
