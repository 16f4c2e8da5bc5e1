"""What Redis can tell at once, asked from the event loop: a copy that is there needs no thread.

A glance never decides that something isn't there. Where it brings nothing, because there is no
copy, or somebody changes what it is of, or Redis doesn't answer, the one who asks goes to a thread
and takes the way that waits, loads and reports.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from redis import RedisError

from app import metrics
from app.breaker import Breaker, Resting
from app.cache.client import LoopClient
from app.cache.entries import Cache

# Those in threads wait for Redis as well, so a silent one isn't waited for twice each time.
REST_S = 1.0

Model = TypeVar("Model", bound=BaseModel)


def as_model(model: type[Model], content: bytes | None) -> Model | None:
    """What a copy is of; None for a copy of another shape, from another release."""
    try:
        return model.model_validate_json(content) if content else None
    except ValidationError:
        return None


class Glances:
    """For one process, beside the cache of its threads."""

    def __init__(self, redis: LoopClient, cache: Cache) -> None:
        self._redis = redis
        self._cache = cache
        self._breaker = Breaker(RedisError, rest_s=REST_S)

    def believed(self, key: str, copy: bytes | None) -> bytes | None:
        """The content of a copy as Redis has it, unless it may be older than the database."""
        content = self._cache.believed(copy)
        if content is None or self._cache.is_unforgotten(key):
            return None
        metrics.CACHE_LOOKUPS.labels(key.partition(":")[0], "hit").inc()
        return content

    async def run(self, script: str, where: Sequence[str], *arguments: str | int) -> Any:
        """What a script returns; None also when Redis doesn't answer."""
        ask = cast(Any, self._redis.register_script(script))
        try:
            with self._breaker.guarding():
                return await ask(keys=where, args=arguments)
        except (RedisError, Resting):
            return None
