"""What a request can be refused with, and the strict reading that keeps answers right."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Json = dict[str, Any]
T = TypeVar("T")


class ApiError(Exception):
    """A refusal with the HTTP status and the text that the client sees."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadRequest(ApiError):
    def __init__(self, message: str) -> None:
        super().__init__(400, f"Wrong input: {message}")


class CollectionMissing(ApiError):
    def __init__(self, name: str) -> None:
        super().__init__(404, f"Not found: Collection `{name}` doesn't exist!")


class Unsupported(ApiError):
    """The real server can do this; the offline stand-in says so instead of guessing."""

    def __init__(self, what: str) -> None:
        super().__init__(
            501,
            f"Not supported: the offline Qdrant stand-in has no {what}; use the official image.",
        )


def known(value: Any, fields: Iterable[str], what: str) -> Json:
    """Returns `value` as an object whose set fields are all in `fields`.

    A field that were read over could change the meaning of a request, so it is refused.
    """
    if not isinstance(value, dict):
        raise BadRequest(f"{what} must be an object")
    unknown = sorted(k for k in value.keys() - set(fields) if value[k] is not None)
    if unknown:
        raise Unsupported(f"`{unknown[0]}` in {what}")
    return value


def require(body: Json, field: str, what: str) -> Any:
    value = body.get(field)
    if value is None:
        raise BadRequest(f"{what} needs `{field}`")
    return value


def one_of(value: Any, choices: dict[str, T], what: str) -> T:
    if not isinstance(value, str) or value not in choices:
        raise BadRequest(f"{what} must be one of {', '.join(choices)}, not {value!r}")
    return choices[value]


def listed(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"{what} must be a list")
    return value


def built(make: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Calls an engine constructor; what it refuses is the client's mistake."""
    try:
        return make(*args, **kwargs)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequest(str(error)) from error
