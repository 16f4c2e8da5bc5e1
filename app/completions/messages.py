from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True)
class Completion:
    """An answer, and what it took."""

    text: str
    input_tokens: int
    output_tokens: int
    model: str
    seconds: float
    # Whether the tokens were counted here, because the server didn't tell.
    estimated: bool = False
