"""What the status of an answer means, and which setting it speaks of."""

import json
import re
from contextlib import suppress
from typing import Any, NoReturn

import httpx

from app.errors import AppError, Unavailable
from app.openai import patience
from app.openai.patience import Busy, Failed

# A quota that is used up doesn't come back within the call.
USED_UP_S = 600
LONGEST_REASON = 300
UNKNOWN_MODEL = re.compile(
    r"(unknown|invalid|no such) model|model\b.{0,120}(not (exist|found)|doesn.t exist)", re.I | re.S
)
TRY_AGAIN = {408, 409, 425, 429}


class Said(Exception):
    """The server's own words: the cause of what is raised, for the log."""


class Meaning:
    """Turns refusals of one server into this service's errors."""

    def __init__(
        self,
        settings: str,
        key: str,
        unavailable: type[Unavailable],
        misconfigured: type[AppError],
        refused: type[AppError],
    ) -> None:
        """
        Args:
            settings: what the names of the server's settings begin with, like EMBEDDER.
            key: its API key, which never shows; empty where there is none.
            unavailable: it may work later.
            misconfigured: it works when a setting is another.
            refused: it doesn't work with this input.
        """
        self._settings = settings
        self._key = key
        self.unavailable = unavailable
        self.misconfigured = misconfigured
        self.refused = refused

    def bad_address(self) -> AppError:
        return self.misconfigured(
            f"{self._settings}_URL: no address; write it like https://host/v1"
        )

    def bad_proxy(self) -> AppError:
        return self.misconfigured(
            f"{self._settings}_URL: the environment's proxy on the way to it can't be used; "
            "HTTPS_PROXY and ALL_PROXY may name HTTP proxies, and NO_PROXY what needs none"
        )

    def raise_for(self, response: httpx.Response, body: bytes) -> NoReturn:
        """Raises what an answer that isn't 2xx means."""
        status = response.status_code
        words = self.readable(body)
        said = Said(f"{status}: {words}")
        if status >= 500 or status in TRY_AGAIN:
            raise _passing(response, words) from said
        if status == 402:
            raise Busy("402: nothing left to pay with", USED_UP_S) from said
        problem = self._problem(status, words.replace("_", " "))
        if problem:
            raise self.misconfigured(f"{self._settings}_{problem}") from said
        raise self.refused from said

    def _problem(self, status: int, words: str) -> str | None:
        if status in {401, 403}:
            told = "the server refuses it" if self._key else "missing; the server asks for one"
            return f"API_KEY: {told} ({status})"
        if UNKNOWN_MODEL.search(words):
            return f"MODEL: the server has no such model ({status})"
        if status < 400:
            return f"URL: the server sends one elsewhere ({status}); set the address it means"
        if status in {404, 405}:
            return (
                f"URL: there is no such API ({status}); set where it begins, like https://host/v1"
            )
        return None

    def readable(self, body: bytes) -> str:
        """The message in a body, or its beginning; without the key."""
        text = body.decode("utf-8", "replace")
        with suppress(ValueError, RecursionError):
            text = str(_message(json.loads(text)))
        if self._key:
            text = text.replace(self._key, "[redacted]")
        return text[:LONGEST_REASON]


def _message(parsed: Any) -> Any:
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    if not isinstance(error, dict):
        return error
    return f"{error.get('code') or ''} {error.get('message') or error}".strip()


def _passing(response: httpx.Response, words: str) -> Failed | Busy:
    after = patience.retry_after(response.headers.get("Retry-After"))
    status = response.status_code
    if status != 429:
        return Failed(f"answered {status}", after)
    if "insufficient_quota" in words:
        return Busy("429: its quota is used up", USED_UP_S)
    return Busy("answered 429", after)
