"""A server with the API of OpenAI: its connections, and what is done when a request fails."""

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx

from app.breaker import Breaker, Resting
from app.openai import addresses
from app.openai.answers import Meaning
from app.openai.events import Events
from app.openai.pace import Pace
from app.openai.patience import Busy, Failed, Passing, Patience

T = TypeVar("T")

CONNECT_S = 5.0
LONGEST_ERROR = 65_536


class Endpoint:
    """May be used by any number of threads. Build it after a fork."""

    def __init__(
        self,
        url: str,
        meaning: Meaning,
        *,
        key: str,
        timeout_s: float,
        requests_per_minute: int | None = None,
    ) -> None:
        """
        Args:
            url: where the API begins, with or without /v1.
            meaning: what is raised.
            key: sent as a bearer token; empty for none.
            timeout_s: for a whole answer; for one that comes in events, between two of them.
            requests_per_minute: the most that this endpoint sends; None is no limit.
        """
        try:
            self._base = addresses.base(url)
        except httpx.InvalidURL as error:
            raise meaning.bad_address() from error
        self._meaning = meaning
        self._timeout_s = timeout_s
        self._breaker = Breaker(Failed)
        self._pace = Pace(requests_per_minute)
        try:
            self._client = httpx.Client(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                # A redirect would take the texts to another host.
                follow_redirects=False,
                trust_env=not addresses.is_here(self._base),
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise meaning.bad_proxy() from error

    def close(self) -> None:
        self._client.close()

    def ask(
        self,
        path: str,
        body: dict[str, Any],
        patience: Patience,
        read: Callable[[Any], T],
        *,
        most_bytes: int,
        timeout_s: float | None = None,
    ) -> T:
        """Posts `body`, and gives what `read` makes of the JSON in the answer.

        Args:
            path: like embeddings.
            body: becomes JSON.
            patience: how often it is tried.
            read: raises ValueError for an answer that can't be used, which is then asked for again.
            most_bytes: a longer answer can't be used.
            timeout_s: a shorter limit than the endpoint's.
        """
        limit_s = min(timeout_s or self._timeout_s, self._timeout_s)

        def attempt() -> T:
            deadline = time.monotonic() + limit_s
            response = self._send(path, body, limit_s)
            try:
                return _use(read, _whole(response, most_bytes, deadline))
            finally:
                response.close()

        return self._trying(patience, attempt)

    def events(
        self, path: str, body: dict[str, Any], patience: Patience, *, most_bytes: int
    ) -> Events:
        """Posts `body`, and gives the events of the answer once the first of them is here."""

        def attempt() -> Events:
            response = self._send(path, body, self._timeout_s)
            opened = Events(response, silence_s=self._timeout_s, most_bytes=most_bytes)
            try:
                if not opened.wait():
                    raise Failed("there is nothing in the answer")
            except BaseException:
                opened.close()
                raise
            return opened

        return self._trying(patience, attempt)

    def _trying(self, patience: Patience, attempt: Callable[[], T]) -> T:
        def once() -> T:
            with self._breaker.guarding():
                self._wait_for_turn(patience)
                return attempt()

        try:
            return patience.retrying()(once)
        except Resting as error:
            raise self._meaning.unavailable(retry_after=math.ceil(error.seconds)) from error
        except Passing as error:
            raise self._meaning.unavailable(retry_after=error.retry_after or None) from error

    def _wait_for_turn(self, patience: Patience) -> None:
        seconds, taken = self._pace.take(patience.longest_wait_s)
        if not taken:
            raise Busy("too many requests wait for their turn", math.ceil(seconds))
        if seconds:
            time.sleep(seconds)

    def _send(self, path: str, body: dict[str, Any], timeout_s: float) -> httpx.Response:
        """The answer, of which the head is read. Whoever gets it closes it."""
        try:
            request = self._client.build_request(
                "POST",
                addresses.below(self._base, path),
                json=body,
                timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            )
            response = self._client.send(request, stream=True)
        except httpx.RequestError as error:
            raise Failed(f"{type(error).__name__} while asking") from error
        except (OverflowError, UnicodeError) as error:
            # A port, or a part of a host's name, that is none: found when one connects.
            raise self._meaning.bad_address() from error
        if not response.is_success:
            try:
                self._meaning.raise_for(response, _beginning(response))
            finally:
                response.close()
        return response


def _use(read: Callable[[Any], T], body: bytes) -> T:
    try:
        return read(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise Failed(f"the answer can't be used: {error}") from error


def _whole(response: httpx.Response, most_bytes: int, deadline: float) -> bytes:
    body = bytearray()
    for part in _parts(response):
        body += part
        if len(body) > most_bytes:
            raise Failed(f"the answer is longer than {most_bytes} bytes")
        if time.monotonic() > deadline:
            raise Failed("the answer takes too long")
    return bytes(body)


def _beginning(response: httpx.Response) -> bytes:
    """What an error says, as far as it comes soon."""
    body = b""
    deadline = time.monotonic() + CONNECT_S
    try:
        for part in response.iter_bytes():
            body += part
            if len(body) >= LONGEST_ERROR or time.monotonic() > deadline:
                break
    except httpx.RequestError:
        pass
    return body[:LONGEST_ERROR]


def _parts(response: httpx.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except httpx.RequestError as error:
        raise Failed(f"{type(error).__name__} within the answer") from error
