"""Rate limits, all of a request's in one round trip to Redis.

The algorithm is GCRA: a rule of q requests in w seconds lets q come at once and then one every w/q
seconds. A key holds one number, the moment at which all that was used up will be free again.

No library here: those that are well kept ask Redis once for each rule.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from app.cache import client, keys, scripts
from app.errors import TooMany

# For each rule: its key, milliseconds of its window, and requests in it. A request that one rule
# refuses is taken from none.
FUNCTION = """
local function take(keys, numbers)
    local time = redis.call('TIME')
    local now = time[1] * 1000 + time[2] / 1000
    local ends, tightest, left = {}, 1, math.huge
    for at, key in ipairs(keys) do
        local window, quota = tonumber(numbers[2 * at - 1]), tonumber(numbers[2 * at])
        local step = window / quota
        local free_at = math.max(now, tonumber(redis.call('GET', key) or 0)) + step
        ends[at] = free_at
        local remaining = (window - (free_at - now)) / step
        if remaining < left then tightest, left = at, remaining end
    end
    -- Half a millisecond is lost when the number is stored as text.
    local wait = -left * tonumber(numbers[2 * tightest - 1]) / tonumber(numbers[2 * tightest])
    if wait > 0.5 then
        return {1, tightest, 0, math.ceil(wait)}
    end
    for at, key in ipairs(keys) do
        redis.call('SET', key, string.format('%.3f', ends[at]), 'PX', math.ceil(ends[at] - now))
    end
    return {0, tightest, math.floor(left + 0.001), math.ceil(ends[tightest] - now)}
end
"""
TAKE = f"{FUNCTION}\nreturn take(KEYS, ARGV)"


class RateLimited(TooMany):
    """Too many requests; try again after the seconds in Retry-After."""


@dataclass(frozen=True)
class Rule:
    """`quota` requests in `window_s` seconds, for each of whoever it counts."""

    name: str
    quota: int
    window_s: int


@dataclass(frozen=True)
class Standing:
    """What the tightest of some rules leaves.

    `remaining` requests may come at once; after `reset_s` seconds without any, all may.
    """

    rules: tuple[Rule, ...]
    tightest: Rule
    remaining: int
    reset_s: int
    refused: bool

    @property
    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers."""
        policy = ", ".join(f'"{rule.name}";q={rule.quota};w={rule.window_s}' for rule in self.rules)
        return {
            "ratelimit-policy": policy,
            "ratelimit": f'"{self.tightest.name}";r={self.remaining};t={self.reset_s}',
        }


def take(redis: Redis, counted: Sequence[tuple[Rule, str]]) -> Standing | None:
    """Takes one request from each rule, or from none when one of them has nothing left.

    Args:
        redis: the connection.
        counted: rules, each with whom it counts.

    Returns:
        How things stand now; None without Redis: then nobody is refused.
    """
    where, numbers = arguments(counted)
    with client.lenient("limits"):
        return standing(counted, scripts.run(redis, TAKE, where, *numbers))
    return None


def arguments(counted: Sequence[tuple[Rule, str]]) -> tuple[list[str], list[int]]:
    """The keys and the numbers that the function `take` of Lua is given."""
    where = [keys.rate(rule.name, whose) for rule, whose in counted]
    return where, [part for rule, _ in counted for part in (rule.window_s * 1000, rule.quota)]


def standing(counted: Sequence[tuple[Rule, str]], taken: Sequence[int]) -> Standing:
    """What the function `take` of Lua returned."""
    refused, tightest, remaining, ms = taken
    rules = tuple(rule for rule, _ in counted)
    return Standing(rules, rules[tightest - 1], remaining, math.ceil(ms / 1000), bool(refused))
