"""The questions that search quality is measured with. Whether the documents say so is for
`python -m benchmarks.knowledge.corpus --check-questions`, which needs the corpus.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.knowledge import questions
from benchmarks.knowledge.questions import HELD_OUT, TUNING, Question
from benchmarks.knowledge.sources import SOURCES

FILES = pytest.mark.parametrize("file", [TUNING, HELD_OUT], ids=lambda file: file.stem)
LANGUAGES = {source.prefix: source.language for source in SOURCES}


def languages_of(question: Question) -> set[str]:
    return {LANGUAGES[name.split("/")[0]] for name in question.documents}


def of_kind(file: Path, language: str, across: bool) -> int:
    return sum(
        question.language == language and question.across == across
        for question in questions.read(file)
    )


@FILES
def test_every_question_is_in_the_language_that_it_names(file: Path) -> None:
    for question in questions.read(file):
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in question.question)
        assert chinese == (question.language == "zh"), question.question


@FILES
def test_a_question_across_has_documents_of_the_other_language(file: Path) -> None:
    for question in questions.read(file):
        (language,) = languages_of(question)
        assert (language != question.language) == question.across, question.question


@FILES
def test_phrases_are_short_facts_without_needless_blanks(file: Path) -> None:
    for question in questions.read(file):
        assert question.contains, question.question
        for phrase in question.contains:
            assert len(phrase) <= 60
            assert phrase == " ".join(phrase.split())


def test_no_question_is_asked_twice() -> None:
    asked = [question.question for file in (TUNING, HELD_OUT) for question in questions.read(file)]
    assert len(asked) == len(set(asked))


def test_no_held_out_question_has_the_answer_of_another_one() -> None:
    answers = {(question.documents, question.contains) for question in questions.read(TUNING)}
    for question in questions.read(HELD_OUT):
        assert (question.documents, question.contains) not in answers, question.question


@pytest.mark.parametrize(
    ("file", "least"),
    [(TUNING, (60, 50, 20, 20)), (HELD_OUT, (20, 18, 8, 8))],
    ids=["tuning", "held-out"],
)
def test_there_are_enough_questions_of_each_kind(file: Path, least: tuple[int, ...]) -> None:
    kinds = [("en", False), ("zh", False), ("en", True), ("zh", True)]
    for (language, across), wanted in zip(kinds, least, strict=True):
        assert of_kind(file, language, across) >= wanted


def test_wrong_questions_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.html").write_text("<p>It is <b>fi</b>ve</p>", "utf-8")
    right, missing, wrong = (
        Question(question=text, language="en", across=False, document=name, contains=(phrase,))
        for text, name, phrase in [
            ("right", "a/one.html", "is five"),
            ("missing", "a/two.html", "is five"),
            ("wrong", "a/one.html", "is six"),
        ]
    )
    found = list(questions.wrong(tmp_path, [right, missing, wrong]))
    assert [line.split(":")[0] for line in found] == ["missing", "wrong"]
