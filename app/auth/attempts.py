"""Failed logins by login name, in Redis. Known and unknown names are locked alike.

After FREE_FAILURES in a row a name is locked for a minute, and then for twice as long after each
further failure. What is refused while it is locked prolongs nothing, and a solved captcha passes
the lock: nobody can keep another one out for ever.
"""

import hashlib
import math
import time
from datetime import UTC, datetime, timedelta

from redis import Redis

from app.auth.errors import LoginLocked
from app.cache import client, keys, scripts

FREE_FAILURES = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(minutes=15)
# While the first password after a lock is checked, which takes less, no other one is: else as many
# as there are threads could be tried at the end of each lock.
TRIAL = timedelta(seconds=10)

# The milliseconds that the name is locked for; 0 lets the attempt pass.
ADMIT = """
local locked = redis.call('PTTL', KEYS[2])
if locked > 0 then
    return locked
end
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then
    redis.call('SET', KEYS[2], 'trial', 'PX', ARGV[2])
end
return 0
"""

NOTE_FAILURE = """
local failures = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local over = failures - tonumber(ARGV[1])
if over >= 0 then
    local lock = math.min(tonumber(ARGV[3]) * 2 ^ math.min(over, 20), tonumber(ARGV[4]))
    redis.call('SET', KEYS[2], 'locked', 'PX', string.format('%d', lock))
end
return failures
"""


def admit(redis: Redis, login: str) -> None:
    """Raises LoginLocked when no password may be tried for this name now."""
    with client.strict():
        locked_ms = int(scripts.run(redis, ADMIT, _keys(login), FREE_FAILURES, _ms(TRIAL)))
    if locked_ms:
        raise LoginLocked(retry_after=math.ceil(locked_ms / 1000))


def note_failure(redis: Redis, login: str) -> int:
    """Counts a wrong password. Returns the number of failures in a row."""
    limits = [keys.LOGIN_FAILURES_TTL, FIRST_LOCK, LONGEST_LOCK]
    with client.strict():
        return int(scripts.run(redis, NOTE_FAILURE, _keys(login), FREE_FAILURES, *map(_ms, limits)))


def unlock(redis: Redis, login: str) -> None:
    """Forgets the failures of a name."""
    with client.strict():
        redis.delete(*_keys(login))


def locked_until(redis: Redis, logins: list[str]) -> dict[str, datetime]:
    """When the lock of each name that is locked ends."""
    with client.strict(), redis.pipeline(transaction=False) as pipeline:
        for login in logins:
            pipeline.pttl(_keys(login)[1])
        left_ms = pipeline.execute()
    now = time.time()
    return {
        login: datetime.fromtimestamp(now + left / 1000, UTC)
        for login, left in zip(logins, left_ms, strict=True)
        if left > 0
    }


def _keys(login: str) -> tuple[str, str]:
    # Whatever somebody sends as a name makes a short key, and Redis holds no names.
    login_hash = hashlib.sha256(login.encode()).hexdigest()
    return keys.login_failures(login_hash), keys.login_lock(login_hash)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
