"""An answer that comes in parts, as server-sent events."""

import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import httpx

from app.openai.patience import Failed

LONGEST_S = 900.0


class Events:
    """The data of each event. Go to its end, or close it: it holds a connection."""

    def __init__(self, response: httpx.Response, *, silence_s: float, most_bytes: int) -> None:
        """
        Args:
            response: of which the head is read.
            silence_s: the longest time between two events.
            most_bytes: of all of them.
        """
        self._response = response
        self._parts = response.iter_bytes()
        self._silence_s = silence_s
        self._left = most_bytes
        self._rest = b""
        self._ready: deque[str] = deque()
        self._ended = False
        self._begun = self._last = time.monotonic()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Raises Failed when the answer breaks off, or says nothing for too long."""
        if not self.wait():
            self.close()
            raise StopIteration
        return self._ready.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the request, if it goes on. The server notices at its next part."""
        self._ended = True
        self._response.close()

    def wait(self) -> bool:
        """Whether there is an event, as soon as that is known."""
        while not self._ready and not self._ended:
            self._read()
        return bool(self._ready)

    def _read(self) -> None:
        try:
            part = next(self._parts, None)
        except httpx.RequestError as error:
            raise Failed(f"{type(error).__name__} within the answer") from error
        if part is None:
            self._ended = True
            part = b"\n"
        self._left -= len(part)
        if self._left < 0:
            raise Failed("the answer is too long")
        # By line feeds alone: other ends of lines may stand inside of JSON.
        *lines, self._rest = (self._rest + part).split(b"\n")
        self._ready += [_data(line) for line in lines if line.startswith(b"data:")]
        self._check_time()

    def _check_time(self) -> None:
        now = time.monotonic()
        if self._ready:
            self._last = now
        # Comments, which keep a connection open, are no events.
        if now - self._last > self._silence_s or now - self._begun > LONGEST_S:
            raise Failed("the answer takes too long")


def _data(line: bytes) -> str:
    return line.removeprefix(b"data:").strip().decode("utf-8", "replace")
