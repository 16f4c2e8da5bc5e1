"""A language model behind the API of OpenAI."""

import time
from collections.abc import Sequence
from typing import Any

from app.completions import parts
from app.completions.answer import Answer
from app.completions.errors import (
    LanguageModelMisconfigured,
    LanguageModelRefused,
    LanguageModelUnavailable,
)
from app.completions.messages import Completion, Message
from app.openai.answers import Meaning
from app.openai.endpoint import Endpoint
from app.openai.events import Events
from app.openai.patience import INTERACTIVE
from app.settings import Settings

PATH = "chat/completions"
# Of what comes over the line; a part of a stream takes some hundred bytes for a word.
MOST_BYTES = 16 * 1024 * 1024


class LanguageModel:
    """May be used by any number of threads. Build it after a fork, and close it.

    Raises:
        LanguageModelUnavailable: it may work later.
        LanguageModelMisconfigured: it works when the setting in the message is another.
        LanguageModelRefused: it doesn't work with these messages.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.llm_url is None or settings.llm_model is None:
            raise LanguageModelMisconfigured(f"{' and '.join(missing(settings))}: missing")
        key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else ""
        self.model = settings.llm_model
        self._endpoint = Endpoint(
            settings.llm_url,
            Meaning(
                "LLM",
                key,
                LanguageModelUnavailable,
                LanguageModelMisconfigured,
                LanguageModelRefused,
            ),
            key=key,
            timeout_s=settings.llm_timeout_s,
        )

    def close(self) -> None:
        self._endpoint.close()

    def complete(self, messages: Sequence[Message]) -> Completion:
        start = time.monotonic()
        body = self._body(messages)
        text, usage = self._endpoint.ask(
            PATH, body, INTERACTIVE, parts.of_completion, most_bytes=MOST_BYTES
        )
        seconds = time.monotonic() - start
        return parts.completion(messages, text, usage, model=self.model, seconds=seconds)

    def stream(self, messages: Sequence[Message]) -> Answer:
        """The answer as it is written. Its beginning is here when this returns."""
        start = time.monotonic()
        body = self._body(messages) | {"stream": True}
        try:
            events = self._open(body | {"stream_options": {"include_usage": True}})
        except LanguageModelRefused:
            # Some servers refuse options that they don't know.
            events = self._open(body)
        return Answer(events, messages, model=self.model, start=start)

    def _open(self, body: dict[str, Any]) -> Events:
        return self._endpoint.events(PATH, body, INTERACTIVE, most_bytes=MOST_BYTES)

    def _body(self, messages: Sequence[Message]) -> dict[str, Any]:
        shown = [{"role": one.role, "content": parts.readable(one.text)} for one in messages]
        return {"model": self.model, "messages": shown}


def missing(settings: Settings) -> list[str]:
    """The settings that a language model needs and that aren't set; none when there is one."""
    needed = {"LLM_MODEL": settings.llm_model, "LLM_URL": settings.llm_url}
    return [name for name, value in needed.items() if not value]
