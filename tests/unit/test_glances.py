"""What the event loop asks Redis: no answer is no error, and a silent Redis is left alone."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis
from pydantic import BaseModel

from app import breaker
from app.cache.client import LoopClient
from app.cache.entries import Cache
from app.cache.glances import Glances, as_model


class Silent:
    """Stands for a Redis that doesn't answer."""

    def __init__(self, error: Exception) -> None:
        self.asked = 0
        self.error = error

    def register_script(self, _script: str) -> Callable[..., Awaitable[Any]]:
        async def ask(**_options: Any) -> Any:
            self.asked += 1
            raise self.error

        return ask


def glances(client: Silent) -> Glances:
    cache = SimpleNamespace(believed=lambda copy: copy, is_unforgotten=lambda _: False)
    return Glances(cast(LoopClient, client), cast(Cache, cache))


@pytest.mark.parametrize("error", [redis.ConnectionError, redis.TimeoutError, redis.ResponseError])
def test_a_redis_that_fails_is_no_answer_and_then_is_not_asked(error: type[Exception]) -> None:
    client = Silent(error())
    asking = glances(client)

    async def ask_often() -> list[Any]:
        return [await asking.run("return 1", []) for _ in range(breaker.FAILURES + 10)]

    assert asyncio.run(ask_often()) == [None] * (breaker.FAILURES + 10)
    assert client.asked == breaker.FAILURES


def test_a_bug_is_no_missing_answer() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(glances(Silent(ZeroDivisionError())).run("return 1", []))


class Shape(BaseModel):
    number: int


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"number": "many"}', b"no JSON"])
def test_a_copy_of_another_shape_is_none(content: bytes | None) -> None:
    assert as_model(Shape, content) is None


def test_a_copy_is_what_it_is_of() -> None:
    assert as_model(Shape, b'{"number": 7}') == Shape(number=7)
