"""app/diagrams/texts.py: what a diagram is found by, in Chinese and in English."""

import contextlib
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.diagrams import texts
from app.diagrams.spec import InvalidSpec, check
from app.diagrams.texts import Query, parse_query
from tests.unit.diagrams import DIAGRAMS, Spec, node_forms
from tests.unit.specs import SPECS

CHINESE = "光合作用水𠮷々ひらカナー한글"
CHINESE_TEXT = st.text(CHINESE, min_size=1, max_size=12)
ANY_TEXT = st.one_of(
    st.text(max_size=20),
    st.text(CHINESE + "abAB1é -_'\n\0ﷺßſ\u0301\u3099\u200b\u200d\ufe0f👩🏽İΣς", max_size=20),
)
MARKS = "\u0315" * 100_000 + "\u0300" * 100_000
HUGE = [
    " ".join(f"word{at}" for at in range(100_000)),
    "".join(chr(0x4E00 + at % 20_900) for at in range(300_000)),
    "".join(chr(0x20000 + at * 7 % 42_000) for at in range(300_000)),
    "x" * 2_000_000,
    "ﷺ" * 100_000,
    "a" + MARKS,
    MARKS,
]


def content_of(text: str) -> str:
    return texts.of(text, {})


def matches(query: Query, content: str) -> bool:
    """What the databases do with a query."""
    found = texts.terms(content)
    return (
        set(query.terms) <= set(found)
        and all(any(term.startswith(prefix) for term in found) for prefix in query.prefixes)
        and all(phrase in content for phrase in query.phrases)
    )


def finds(text: str, title: str, spec: Spec | None = None) -> bool:
    query = parse_query(text)
    assert query
    return matches(query, texts.of(title, spec or {}))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("光合", "植物的光合作用"),
        ("作", "植物的光合作用"),
        ("用", "植物的光合作用 Photosynthesis"),
        ("植物的光合作用", "植物的光合作用"),
        ("植物 光合作用", "光合作用与植物"),
        ("𠮷野", "老𠮷野家"),
        ("plant", "Plants need water"),
        ("NEED pl", "Plants need water"),
        ("手机", "iPhone手机"),
        ("iphone手机", "iPhone手机"),
        ("1840年", "鸦片战争（1840年）"),
        ("ＡＢＣ", "abc"),
        ("カタ", "ｶﾀｶﾅ"),
        ("が", "か\u3099"),
        ("STRASSE", "Straße"),
        ("cafe\u0301", "Café"),
        ("葛城", "葛\U000e0100城"),
        ("softhyphen", "soft\u00adhyphen"),
        ("한국", "대한국어"),
        ("ひらがな", "これはひらがなです"),
        ("हिन्दी", "हिन्दी भाषा"),
        ("it's", "CO₂ it's"),
        ("co2", "CO₂ it's"),
        ("50%", "50%"),
        ("水💧", "水 💧"),
    ],
)
def test_a_query_finds(text: str, title: str) -> None:
    assert finds(text, title)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("合光", "光合作用"),
        # All its pairs are there, but apart.
        ("光合作", "光合 合作"),
        ("光作", "光 作"),
        ("lants", "Plants need water"),
        ("plants soil", "Plants need water"),
        ("植物 土", "植物 水"),
        ("plantsneed", "plants need"),
    ],
)
def test_a_query_does_not_find(text: str, title: str) -> None:
    assert not finds(text, title)


def test_a_phrase_does_not_reach_from_one_text_into_the_next() -> None:
    spec = {"topic": "光合", "context": ["作用"]}
    assert not finds("光合作", "", spec)
    assert finds("光合 作用", "", spec)


@given(before=ANY_TEXT, run=CHINESE_TEXT, after=ANY_TEXT, data=st.data())
def test_every_part_of_a_chinese_text_finds_it(
    before: str, run: str, after: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(run) - 1))
    end = data.draw(st.integers(start + 1, len(run)))
    # An accent at the start of `after` would make another character of the last one.
    assert finds(run[start:end], f"{before} {run} {after}")


@given(title=ANY_TEXT, data=st.data())
def test_the_beginning_of_every_word_finds_it(title: str, data: st.DataObject) -> None:
    words = texts.terms(content_of(title))
    if words:
        word = data.draw(st.sampled_from(words))
        assert finds(word[: data.draw(st.integers(1, len(word)))], title)


@given(title=ANY_TEXT)
def test_every_text_finds_itself(title: str) -> None:
    query = parse_query(title)
    assert matches(query, content_of(title))
    assert bool(query) == bool(texts.terms(content_of(title)))


@given(text=ANY_TEXT)
def test_normalized_text_stays_as_it_is(text: str) -> None:
    content = content_of(text)
    assert content_of(content) == content
    assert content == " ".join(content.split())


@given(text=ANY_TEXT | st.text(st.characters(max_codepoint=127)))
def test_terms_hold_nothing_that_an_engine_could_read_as_a_sign(text: str) -> None:
    found = texts.terms(content_of(text))
    assert len(found) == len(set(found))
    for term in found:
        assert 0 < len(term) <= 64
        assert not set(term) & {*string.punctuation, *string.whitespace, "\0"}


@given(text=ANY_TEXT)
def test_a_query_asks_only_for_what_can_be_a_term(text: str) -> None:
    query = parse_query(text)
    for part in (*query.terms, *query.prefixes, *query.phrases):
        assert part
        assert not set(part) & {*string.punctuation, *string.whitespace, "\0"}
    assert all(len(term) <= 2 for term in query.terms)
    assert all(len(phrase) > 2 for phrase in query.phrases)


def test_characters_and_pairs_of_neighbours_are_terms_and_so_are_words() -> None:
    found = texts.terms("水循环 the iphone手机 水")
    assert found == ["水", "水循", "循", "循环", "环", "the", "iphone", "手", "手机", "机"]


def test_marks_belong_to_the_word_that_they_stand_in() -> None:
    assert texts.terms("हिन्दी สวัสดี \u0301 \u0301a") == ["हिन्दी", "สวัสดี", "a"]


def test_a_query_is_made_of_terms_prefixes_and_phrases() -> None:
    assert parse_query(" Ｐlant-水循环, 茶 光合  水循环！") == Query(
        terms=("水循", "循环", "茶", "光合"), prefixes=("plant",), phrases=("水循环",)
    )


@pytest.mark.parametrize(
    "text", ["", " \n\u3000", "!?。、「」・", "'--%_*", "💧👩🏽‍🔬", "\0", "\u0301", "❤\ufe0f"]
)
def test_a_query_without_letters_is_empty(text: str) -> None:
    assert parse_query(text) == Query()
    assert not parse_query(text)


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"w{at}" for at in range(100)),
        "光合作用" * 1_000,
        " ".join(["光合作用", "水循环系统"] * 50),
        "光 " * 50 + "合 作 用",
    ],
)
def test_a_query_has_20_parts_at_most(text: str) -> None:
    query = parse_query(text)
    parts = (*query.terms, *query.prefixes, *query.phrases)
    assert 0 < len(parts) <= 20
    assert sum(map(len, parts)) < 2_000
    assert matches(query, content_of(text))


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
def test_what_is_stored_is_bounded(text: str) -> None:
    content = texts.of("title", {"topic": text, "children": [text, text]})
    found = texts.terms(content)
    assert len(content) <= 500_000
    assert sum(len(term.encode()) for term in found) <= 500_000
    assert max(len(term.encode()) for term in found) < 2_000
    assert found[0] == "title"
    assert parse_query(text) is not None


@given(spec=SPECS)
def test_every_spec_that_is_accepted_has_texts(spec: dict[str, Any]) -> None:
    spec = {"x": spec} | spec | {"topic": "", "nodes": None, "children": []}
    with contextlib.suppress(InvalidSpec):
        check("mind_map", spec, limit_kb=500, limit_nodes=500)
        content = texts.of("Title", spec)
        assert content.split("\n")[0] == "title"
        assert "title" in texts.terms(content)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            node_forms("tree_map")[-1],
            ["生产者 it's", "food chain", "回到"],
        ),
        (
            {"whole": "Water", "parts": [{"name": "H", "subparts": ["e⁻"]}], "dimension": "atoms"},
            ["water", "h", "e−", "atoms"],
        ),
        ({"analogies": [{"left": "法国", "right": "巴黎", "id": 0}]}, ["法国", "巴黎"]),
        (
            {"event": "战争", "causes": ["贸易"], "effects": [{"text": "条约", "note": "1842"}]},
            ["战争", "贸易", "条约", "1842"],
        ),
        # A form that nobody knows yet.
        ({"画布": {"中心": {"内容": ["水", ["汽"]]}}, "liquid": "tea"}, ["水", "汽", "tea"]),
    ],
)
def test_the_texts_of_nodes_are_found_in_their_order(spec: Spec, expected: list[str]) -> None:
    assert texts.of("T", spec).split("\n") == ["t", *expected]


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "ID",
        "type",
        "parentId",
        "parent_id",
        "source",
        "target",
        "edgeType",
        "style",
        "styles",
        "_node_styles",
        "_layout",
        "metadata",
        "backgroundColor",
        "position",
        "customPositions",
        "imageUrl",
        "href",
        "thumbnail",
    ],
)
def test_what_is_not_for_people_is_left_out(name: str) -> None:
    hidden = {name: "hidden", "a": [{name: ["hidden", {"text": "hidden"}]}]}
    assert texts.of("T", {"topic": "seen"} | hidden) == "t\nseen"


def test_pictures_are_left_out_wherever_they_stand() -> None:
    spec = {"children": [{"text": "data:image/png;base64,iVBORw0KGgo="}, {"text": "data: 水"}]}
    assert texts.of("T", spec) == "t\ndata: 水"


@pytest.mark.parametrize(("kind", "spec"), DIAGRAMS)
def test_a_diagram_of_each_kind_is_found_by_its_texts(kind: str, spec: Spec) -> None:
    content = texts.of(kind, spec)
    for text in content.split("\n"):
        assert matches(parse_query(text), content)


def test_the_deepest_spec_overflows_no_stack() -> None:
    spec: Any = "水"
    for _ in range(100_000):
        spec = [spec]
    assert texts.of("T", {"topic": spec}) == "t\n水"


def test_the_title_and_the_first_texts_stay_when_there_are_too_many() -> None:
    content = texts.of("T", {"topic": "水", "children": ["x" * 999] * 600})
    assert content.startswith("t\n水\nxx")
    assert len(content) == 500_000
