"""How handlers run."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute


class Route(APIRoute):
    """One whose plain function goes through the pool of threads once.

    The framework's own sends what such a function returned through it a second time, to check that
    it is of the declared model, which takes less time than the way there.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if _is_plain(endpoint):
            endpoint = _in_thread(endpoint)
        super().__init__(path, endpoint, **options)


def _is_plain(endpoint: Callable[..., Any]) -> bool:
    special = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    return inspect.isfunction(endpoint) and not any(one(endpoint) for one in special)


def _in_thread(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)
    async def run(**arguments: Any) -> Any:
        return await run_in_threadpool(endpoint, **arguments)

    return run
