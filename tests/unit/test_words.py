"""app/words.py: text as a search sees it, in Chinese and in English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import words

TEXT = st.text(max_size=30) | st.text(
    "光合作用𠮷々ひらカナー한글abAB1é -_'\n\0ﷺßſ\u0301\u3099\u200b\u200d\ufe0f👩🏽İΣς", max_size=30
)


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  Water\n\tcycle\u3000水 ", "water cycle 水"),
        ("ＡＢＣ １２３ ｶﾀｶﾅ", "abc 123 カタカナ"),
        ("Straße CAFE\u0301", "strasse café"),
        ("soft\u00adhyphen 葛\U000e0100城", "softhyphen 葛城"),
        ("zero\u200bwidth", "zero\u200bwidth"),
    ],
)
def test_text_is_normalized(text: str, normalized: str) -> None:
    assert words.normalize(text) == normalized


@given(text=TEXT)
def test_normalized_text_stays_as_it_is(text: str) -> None:
    normalized = words.normalize(text)
    assert words.normalize(normalized) == normalized


@given(text=TEXT)
def test_runs_are_parts_of_the_text_in_their_order(text: str) -> None:
    normalized = words.normalize(text)
    at = 0
    for unspaced, run in words.runs(normalized):
        assert run
        at = normalized.index(run, at) + len(run)
        assert unspaced == bool(words.UNSPACED.match(run))


def test_terms_are_given_as_often_as_they_are_there() -> None:
    assert [*words.terms("水 水 tea水循环 tea")] == [
        *("水", "水", "tea", "水", "水循", "循", "循环", "环", "tea")
    ]


def test_a_term_has_64_characters_at_most() -> None:
    assert [*words.terms("x" * 100)] == ["x" * 64]
    assert [*words.runs("x" * 100)] == [(False, "x" * 100)]
