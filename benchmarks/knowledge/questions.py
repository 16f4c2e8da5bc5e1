"""Questions about the corpus with the documents that answer them, written by readers of them.

A hit answers a question when it is from one of its documents and its text contains one of the
phrases, blanks apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.knowledge import texts

HERE = Path(__file__).parent
TUNING = HERE / "questions.jsonl"
# Nobody looks at these while tuning.
HELD_OUT = HERE / "questions-held-out.jsonl"


class Question(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(min_length=4, max_length=200)
    language: Literal["en", "zh"]
    # The documents are of the other language.
    across: bool
    document: str | tuple[str, ...]
    contains: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[str, ...]:
        return (self.document,) if isinstance(self.document, str) else self.document


def read(file: Path) -> list[Question]:
    return [Question.model_validate_json(line) for line in file.read_text("utf-8").splitlines()]


def wrong(folder: Path, asked: Iterable[Question]) -> Iterator[str]:
    """Documents that aren't in the corpus, and phrases that none of the documents has."""
    text = lru_cache(maxsize=None)(lambda name: texts.text_of(folder / name))
    for question in asked:
        missing = [name for name in question.documents if not (folder / name).is_file()]
        if missing:
            yield f"{question.question}: not in the corpus: {missing}"
            continue
        for phrase in question.contains:
            if not any(phrase in text(name) for name in question.documents):
                yield f"{question.question}: {question.document} has no {phrase!r}"
