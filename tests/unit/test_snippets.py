"""app/knowledge/snippets.py: the part of a chunk that shows why it was found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import keywords
from app.knowledge import graphemes
from app.knowledge.snippets import Snippet, snippet

CHINESE = "水循环有四个环节。海水蒸发以后进入大气！水汽凝结成云，然后降水。老师说：“画一张图。”"
ENGLISH = "The water cycle has stages. Sea water evaporates. Vapour condenses, e.g. in clouds. "
SIGNS = (
    "水循环光合 abAB.。\n\t\u3000Straße ﷺﬁ㍿㎞ e\u0301ｶﾞか\u3099👩\u200d🔬🇨🇳\u00ad\u200b\ufe0f´İΣς"
)
TEXT = st.one_of(
    st.text(SIGNS, max_size=60),
    st.text(max_size=40),
    st.lists(st.sampled_from([CHINESE, ENGLISH, "水 ", "plants "]), max_size=6).map("".join),
)


def marked(content: str, query: str, length: int = 240) -> str:
    """The snippet with its highlights in brackets."""
    made = snippet(content, query, length=length)
    text = made.text
    for start, end in reversed(made.highlights):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


@given(content=TEXT, query=TEXT, length=st.integers(1, 120))
def test_a_snippet_is_a_part_of_the_content_with_the_query_in_it(
    content: str, query: str, length: int
) -> None:
    made = snippet(content, query, length=length)
    assert made.text == content[made.start : made.start + len(made.text)] == made.text.strip()
    assert len(made.text) <= length
    asked = {*keywords.of_query(query)}
    at = -1
    for start, end in made.highlights:
        assert at < start < end <= len(made.text)
        assert {*keywords.of_passage(made.text[start:end])} & asked
        at = end


@given(content=TEXT, data=st.data(), length=st.integers(20, 120))
def test_something_is_highlighted_where_a_term_of_the_query_is_there(
    content: str, data: st.DataObject, length: int
) -> None:
    there = sorted({one for one in keywords.of_passage(content) if len(one) <= 20})
    if there:
        term = data.draw(st.sampled_from(there))
        query = content if term not in keywords.of_query(term) else term
        made = snippet(content, query, length=length)
        assert made.highlights


@given(content=TEXT, length=st.integers(1, 120))
def test_a_query_for_nothing_shows_the_beginning(content: str, length: int) -> None:
    made = snippet(content, "?", length=length)
    assert made.highlights == ()
    assert content.strip().startswith(made.text)
    assert bool(made.text) == bool(content.strip()) or len(content) > length


@pytest.mark.parametrize(
    ("content", "query", "expected"),
    [
        ("植物的光合作用", "光合作用", "植物的[光合作用]"),
        ("植物的光合作用", "什么是光合", "植物的[光合]作用"),
        ("温度太高时酶会失去活性", "酶", "温度太高时[酶]会失去活性"),
        ("Plants need WATER.", "plant waters", "[Plants] need [WATER]."),
        ("The Straße is closed", "strasse", "The [Straße] is closed"),
        ("Cafe\u0301 au lait", "CAFÉ", "[Cafe\u0301] au lait"),
        ("ＡＢＣ１２３ in width", "abc123", "[ＡＢＣ１２３] in width"),
        ("ｶﾞｶﾞ と か\u3099く", "ガ がく", "[ｶﾞｶﾞ] と [か\u3099く]"),
        ("soft\u00adhyphen", "softhyphen", "[soft\u00adhyphen]"),
        ("5㎞ away", "5km", "[5㎞] away"),
        ("the cat is what it is", "what is it", "the cat [is] [what] [it] [is]"),
        ("the cat", "the dog", "the cat"),
    ],
)
def test_what_is_found_is_highlighted(content: str, query: str, expected: str) -> None:
    assert marked(content, query) == expected


def test_the_window_has_the_most_different_terms() -> None:
    content = "Water. " * 40 + "The water cycle has stages. " + "Cycle. " * 40
    made = marked(content, "water cycle stages", length=60)
    assert made.startswith("The [water] [cycle] has [stages].")
    content = "水。" * 100 + "水循环的蒸发。" + "蒸发。" * 100
    assert marked(content, "水循环 蒸发", length=30).startswith("[水循环]的[蒸发]。")


def test_a_snippet_begins_and_ends_with_a_sentence_where_it_can() -> None:
    assert marked(CHINESE * 5, "凝结", length=30).startswith("水汽[凝结]成云，然后降水。")
    assert marked(CHINESE * 5, "凝结", length=30).endswith(("。", "！", "”"))
    assert marked(ENGLISH * 5, "vapour", length=50) == "[Vapour] condenses, e.g. in clouds."


def test_a_snippet_cuts_no_word() -> None:
    content = " ".join(f"word{at}" for at in range(300))
    made = snippet(content, "word150", length=60)
    assert made.text.split() == [one for one in content.split() if one in made.text.split()]
    assert made.highlights
    assert len(made.text) > 40


def test_a_snippet_of_the_end_has_its_full_length() -> None:
    assert len(snippet(f"{ENGLISH * 5}The glacier.", "glacier").text) > 120


def test_no_character_is_cut() -> None:
    family = "👩\u200d👩\u200d👧"
    made = snippet(family * 40 + "水" + family * 40, "水", length=33)
    assert made.highlights
    assert graphemes.is_boundary(family * 40 + "水" + family * 40, made.start)
    assert {*made.text.replace("水", "").split(family)} == {""}


def test_a_word_that_is_longer_than_the_snippet_is_not_highlighted() -> None:
    assert snippet("x" * 500, "x" * 500, length=100) == Snippet("x" * 100, 0, ())


@pytest.mark.parametrize(
    ("content", "query"),
    [
        ("水" * 100_000, "水水"),
        ("water " * 50_000, "water"),
        ("." * 100_000, "water"),
        (" ".join(f"w{at}" for at in range(30_000)), " ".join(f"w{at}" for at in range(30_000))),
        ("e" + "\u0301" * 100_000, "é"),
    ],
    ids=range(5),
)
def test_large_contents_have_a_snippet(content: str, query: str) -> None:
    made = snippet(content, query)
    assert 0 < len(made.text) <= 240
