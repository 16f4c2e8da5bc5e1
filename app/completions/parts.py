"""Reads what a language model sends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.completions.messages import Completion, Message
from app.openai import estimates

# What a message takes beside its text.
FRAME_TOKENS = 4


@dataclass(frozen=True)
class Usage:
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Part:
    """What one event brings."""

    text: str
    usage: Usage | None
    # Whether it says that the text is over.
    last: bool


def readable(text: str) -> str:
    """Without lone surrogates, which UTF-8 hasn't."""
    return text.encode("utf-8", "replace").decode()


def of_completion(answer: Any) -> tuple[str, Usage | None]:
    """Raises ValueError for what can't be used."""
    choice = _choice(answer)
    if choice is None:
        raise ValueError("there is no choice in it")
    return _text(choice.get("message")), _usage(answer)


def of_event(event: Any) -> Part:
    """Raises ValueError for what can't be used."""
    choice = _choice(event)
    if choice is None:
        return Part("", _usage(event), last=False)
    return Part(_text(choice.get("delta")), _usage(event), last=bool(choice.get("finish_reason")))


def completion(
    messages: Sequence[Message], text: str, usage: Usage | None, *, model: str, seconds: float
) -> Completion:
    told = usage or Usage(
        sum(estimates.tokens(one.text) + FRAME_TOKENS for one in messages), estimates.tokens(text)
    )
    return Completion(
        text=text,
        input_tokens=told.input_tokens,
        output_tokens=told.output_tokens,
        model=model,
        seconds=seconds,
        estimated=usage is None,
    )


def _choice(answer: Any) -> dict[str, Any] | None:
    if not isinstance(answer, dict):
        raise ValueError("it is no object")
    if answer.get("error"):
        # Some servers begin with 200 and fail afterwards.
        raise ValueError("it is an error")
    choices = answer.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
        raise ValueError("its choices are no list of objects")
    return choices[0] if choices else None


def _text(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _usage(answer: dict[str, Any]) -> Usage | None:
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    sent, got = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(sent, int) or not isinstance(got, int) or min(sent, got) < 0:
        return None
    return Usage(sent, got)
