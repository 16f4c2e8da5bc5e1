"""A document's text, put together from old passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ops.adoption.passages import Passage, put_together

TEXT = "水循环有四个环节：蒸发、凝结、降水和径流。The sun drives it, and it never ends."


def cut(text: str, *places: tuple[int, int]) -> list[Passage]:
    return [Passage(at, at, text[start:end], start, end) for at, (start, end) in enumerate(places)]


def whole(*texts: str) -> str:
    """Of passages whose places nobody knows."""
    return put_together(Passage(at, at, one, None, None) for at, one in enumerate(texts))


@given(st.text(min_size=1), st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20))))
def test_what_overlaps_is_written_once(text: str, steps: list[tuple[int, int]]) -> None:
    places, at = [], 0
    for step, overlap in steps:
        places.append((at, min(at + step + overlap, len(text))))
        at += step
    places.append((min(at, len(text) - 1), len(text)))
    wanted = [(start, end) for start, end in places if start < end]
    # A passage of nothing but white space says nothing, and leaves a gap.
    if all(text[start:end].strip() for start, end in wanted):
        assert put_together(cut(text, *wanted)) == text[: max(end for _, end in wanted)].strip()


def test_passages_that_meet_are_joined_without_a_gap() -> None:
    assert put_together(cut(TEXT, (0, 10), (10, 30), (30, len(TEXT)))) == TEXT


def test_a_gap_is_a_blank_line_and_a_missing_blank_a_new_line() -> None:
    assert put_together(cut("one two three", (0, 3), (8, 13))) == "one\n\nthree"
    assert put_together(cut("one two", (0, 3), (4, 7))) == "one\ntwo"


def test_the_order_is_that_of_the_index_whatever_the_ids_are() -> None:
    first, second = cut(TEXT, (0, 10), (10, 20))
    swapped = [Passage(9, 0, first.text, 0, 10), Passage(1, 1, second.text, 10, 20)]
    assert put_together(reversed(swapped)) == TEXT[:20]


def test_a_passage_that_was_stored_twice_or_lies_within_another_is_written_once() -> None:
    assert put_together(cut(TEXT, (0, 40), (0, 40), (5, 20), (40, 50))) == TEXT[:50]


@pytest.mark.parametrize("shift", [1, 3])
def test_places_that_are_a_little_wrong_double_nothing(shift: int) -> None:
    first = Passage(1, 0, TEXT[:50], 0, 50)
    second = Passage(2, 1, TEXT[20:], 20 - shift, len(TEXT))
    assert put_together([first, second]) == TEXT


def test_nothing_is_lost_where_places_are_wrong() -> None:
    first = Passage(1, 0, "alpha beta", 0, 10)
    second = Passage(2, 1, "gamma", 4, 9)
    assert put_together([first, second]) == "alpha beta\n\ngamma"


def test_without_places_a_long_overlap_is_written_once_and_a_short_one_twice() -> None:
    assert whole(TEXT[:50], TEXT[20:]) == TEXT
    assert whole("the end", "the end of it") == "the end\n\nthe end of it"


def test_empty_passages_make_no_text() -> None:
    assert whole("", " \n", "") == ""


def test_many_passages_take_no_longer_than_they_must() -> None:
    text = "".join(f"Sentence number {at} stands here. " for at in range(10_000))
    places = [(at, at + 700) for at in range(0, len(text), 500)]
    assert put_together(cut(text, *places)) == text.strip()
