"""Counts requests by the template of their route: a raw path would make a series for each id."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import Histogram
from starlette.types import Scope

from app import metrics

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
# Anybody can ask for any path and by any method; these stand for all that there is no route for.
NO_ROUTE = "none"
OTHER_METHOD = "other"

Templates = dict[Callable[..., Any], str]


def templates(app: FastAPI) -> Templates:
    """The whole path of each endpoint, as it was declared."""
    found = iter_route_contexts(app.routes)
    return {inspect.unwrap(one.endpoint): one.path for one in found if one.endpoint and one.path}


def note(known: Templates, scope: Scope, status: int, seconds: float) -> None:
    """Counts a request that was answered."""
    method = scope["method"]
    endpoint = scope.get("endpoint")
    route = known.get(inspect.unwrap(endpoint), NO_ROUTE) if endpoint else NO_ROUTE
    _seconds(method if method in METHODS else OTHER_METHOD, route, status).observe(seconds)


# Every request looks for one; there are as many as series.
@functools.cache
def _seconds(method: str, route: str, status: int) -> Histogram:
    return metrics.REQUEST_SECONDS.labels(method, route, str(status))
