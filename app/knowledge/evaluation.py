"""Measures how good a search is: questions whose answers are known, asked in each mode."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, quantiles

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import InvalidInput
from app.knowledge import ranking, search
from app.knowledge.schemas import Mode
from app.knowledge.search import Searcher, Wanted
from app.knowledge.search_queries import Passage

MODES: tuple[Mode, ...] = ("semantic", "keyword", "hybrid")
# Ranks beyond these count for nothing.
DEPTH = 10
ALL = "all"
# Those of all languages whose documents are in another one.
ACROSS = "across"


class QuestionsUnusable(InvalidInput):
    """The file of questions can't be used."""


class Question(BaseModel):
    """A hit is right if it is from one of the documents, by their names, and its text contains one
    of the phrases, if there are any; blanks don't count.

    Figures are told for all, for those `across` languages, and for each `group`: by default the
    language, and whether the documents are in another one.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1, max_length=1_000)
    document: str | tuple[str, ...]
    contains: tuple[str, ...] = ()
    language: str = ""
    across: bool = False
    group: str = ""

    @property
    def label(self) -> str:
        return self.group or f"{self.language}{' across' if self.across else ''}".strip()

    @property
    def groups(self) -> tuple[str, ...]:
        return (ALL, *((ACROSS,) if self.across else ()), self.label)

    def is_answered_by(self, passage: Passage) -> bool:
        names = (self.document,) if isinstance(self.document, str) else self.document
        if passage.name not in names:
            return False
        text = _squeezed(passage.content)
        return not self.contains or any(_squeezed(one) in text for one in self.contains)


@dataclass(frozen=True)
class Quality:
    """Of the questions of one group in one mode.

    `recall` is for how many of them a right hit is among the first 1, 5 and 10; `mrr` the mean of
    one divided by the rank of the first right hit, of 10. `p50_ms` and `p95_ms` are the times of a
    search, without the note in the history.
    """

    group: str
    mode: Mode
    questions: int
    recall: dict[int, float]
    mrr: float
    p50_ms: float
    p95_ms: float


def read(file: Path) -> list[Question]:
    """The questions of a file with one JSON object on each line. Raises QuestionsUnusable."""
    try:
        lines = file.read_text("utf-8").splitlines()
        found = [_question(at, line) for at, line in enumerate(lines, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionsUnusable(f"{file} can't be read: {error}") from error
    if not found:
        raise QuestionsUnusable(f"{file} has no question")
    return found


def evaluate(
    searcher: Searcher,
    user_id: int,
    questions: Sequence[Question],
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Quality]:
    """Asks each question in each mode, as this user.

    Raises:
        SemanticSearchUnavailable: and nothing else counts for it.
    """
    right: dict[tuple[str, Mode], list[list[bool]]] = defaultdict(list)
    times: dict[tuple[str, Mode], list[float]] = defaultdict(list)
    for done, question in enumerate(questions, 1):
        for mode in MODES:
            start = time.perf_counter()
            ranked = search.rank(searcher, Wanted(user_id, question.question, mode, DEPTH))
            took = (time.perf_counter() - start) * 1000
            answers = [question.is_answered_by(one) for one in ranked.passages]
            for group in dict.fromkeys(question.groups):
                right[group, mode].append(answers)
                times[group, mode].append(took)
        report(done, len(questions))
    return [_quality(*key, found, times[key]) for key, found in sorted(right.items(), key=_order)]


def _question(number: int, line: str) -> Question:
    try:
        return Question.model_validate_json(line)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise QuestionsUnusable(f"line {number}: {where} {problem['msg']}") from error


def _quality(
    group: str, mode: Mode, right: Sequence[Sequence[bool]], times: Sequence[float]
) -> Quality:
    # Two points at the least, between which a quantile may lie.
    steps = quantiles([*times, *times], n=20, method="inclusive")
    return Quality(
        group=group,
        mode=mode,
        questions=len(right),
        # One right hit is all that a question asks for.
        recall={k: fmean(ranking.recall_at(k, one, {True}) for one in right) for k in (1, 5, 10)},
        mrr=fmean(ranking.reciprocal_rank(one, {True}) for one in right),
        p50_ms=round(steps[9], 1),
        p95_ms=round(steps[18], 1),
    )


def _order(item: tuple[tuple[str, Mode], object]) -> tuple[bool, str, int]:
    group, mode = item[0]
    return group != ALL, group, MODES.index(mode)


def _squeezed(text: str) -> str:
    return "".join(text.split())
