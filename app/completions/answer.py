"""An answer while it is written."""

import json
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from app.completions import parts
from app.completions.errors import LanguageModelUnavailable
from app.completions.messages import Completion, Message
from app.completions.parts import Part
from app.openai.events import Events
from app.openai.patience import Failed

DONE = "[DONE]"


class Answer:
    """Its pieces of text, none of them empty. Go to its end, or close it: it holds a connection."""

    def __init__(
        self, events: Events, messages: Sequence[Message], *, model: str, start: float
    ) -> None:
        self._events = events
        self._messages = messages
        self._model = model
        self._start = start
        self._pieces: list[str] = []
        self._usage: parts.Usage | None = None
        self._complete = False
        self._seconds: float | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Raises LanguageModelUnavailable when it breaks off."""
        try:
            for event in self._events:
                piece = self._take(event)
                if piece:
                    return piece
            if not self._complete and not self._closed:
                raise Failed("the answer breaks off")
        except (Failed, ValueError, RecursionError) as error:
            self.close()
            raise LanguageModelUnavailable from error
        self.close()
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_whole(self) -> bool:
        """Whether it has come to its end."""
        return self._complete

    def close(self) -> None:
        """Ends the request. The server notices, and writes no more."""
        self._events.close()
        if self._seconds is None:
            self._seconds = time.monotonic() - self._start

    @property
    def _closed(self) -> bool:
        return self._seconds is not None

    @property
    def completion(self) -> Completion:
        """What came so far, and what it took."""
        seconds = time.monotonic() - self._start if self._seconds is None else self._seconds
        text = "".join(self._pieces)
        return parts.completion(
            self._messages, text, self._usage, model=self._model, seconds=seconds
        )

    def _take(self, event: str) -> str:
        if event == DONE:
            self._complete = True
            return ""
        part: Part = parts.of_event(json.loads(event))
        self._usage = part.usage or self._usage
        self._complete = self._complete or part.last
        if part.text:
            self._pieces.append(part.text)
        return part.text
