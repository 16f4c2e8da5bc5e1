"""Errors that a client may see. Each carries its status; its docstring is the default message."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any


class AppError(Exception):
    """Something went wrong."""

    status = 500
    retry_after: int | None = None

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            detail: what people read, instead of the docstring.
            retry_after: seconds, instead of the class's.
            headers: further fields of the response's head.
            more: further fields of the response's body.
        """
        self.detail = detail or inspect.cleandoc(type(self).__doc__ or "")
        self.retry_after = self.retry_after if retry_after is None else retry_after
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        return type(self).__name__


class InternalError(AppError):
    """This is a bug; the server's log has it under the request id."""


class InvalidInput(AppError):
    """The request can't be understood."""

    status = 400


class Unauthorized(AppError):
    """Log in first."""

    status = 401


class Forbidden(AppError):
    """You may not do this."""

    status = 403


class NotFound(AppError):
    """There is nothing here."""

    status = 404


class Conflict(AppError):
    """This conflicts with what is already stored."""

    status = 409


class PayloadTooLarge(AppError):
    """The request body is too large."""

    status = 413


class InvalidPayload(AppError):
    """Parts of the payload can't be used."""

    status = 422

    def __init__(self, *problems: tuple[Sequence[str | int], str]) -> None:
        """
        Args:
            problems: each with the place of the part, and what is wrong with it.
        """
        shown = [{"where": [*where], "problem": problem} for where, problem in problems]
        super().__init__(more={"detail": shown} if shown else None)


class TooMany(AppError):
    """Too many requests; try again later."""

    status = 429
    retry_after = 60


class Unavailable(AppError):
    """A service that this needs is not available; try again shortly."""

    status = 503
    retry_after = 2
