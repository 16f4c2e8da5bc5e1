"""Lua scripts: several commands that nothing comes between, in one round trip.

A script names its keys as KEYS, and whatever it writes expires.
"""

from collections.abc import Sequence
from typing import Any, cast

from redis import Redis


def run(redis: Redis, script: str, where: Sequence[str], *arguments: str | int | float) -> Any:
    """What the script returns. Redis gets its text once and afterwards only its hash.

    Args:
        redis: the connection.
        script: its text.
        where: its KEYS, made in keys.py.
        arguments: its ARGV.
    """
    return cast(Any, redis.register_script(script))(keys=where, args=arguments)
