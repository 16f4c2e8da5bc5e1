"""app/keywords.py, app/vectors/sparse.py, app/knowledge/ranking.py: search by keywords."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import keywords, words
from app.knowledge import ranking
from app.vectors import sparse
from app.vectors.sparse import Sparse

TEXT = st.text(max_size=40) | st.text(
    "光合作用的吗水 the cycles ing ed es\n酶Aé\ud83d", max_size=40
)

# A school's passages; some say the same in both languages.
PASSAGES = {
    "cycle": "水循环有四个环节：蒸发、凝结、降水和径流。海洋里的水蒸发后进入大气。",
    "photosynthesis": "植物的光合作用把二氧化碳和水变成葡萄糖，放出氧气。叶绿体是光合作用的场所。",
    "respiration": "呼吸作用消耗氧气，放出二氧化碳，并释放能量。植物和动物都有呼吸作用。",
    "enzymes": "唾液淀粉酶能够催化淀粉水解，温度太高时酶会失去活性。",
    "groups": "小组合作学习时，老师让学生用思维导图总结要点。",
    "opium": "鸦片战争（1840年）之后，清政府签订了南京条约，香港岛被割让。",
    "wal": "Write-ahead logging: the records are flushed to disk before the changed pages, so that"
    " a database recovers after a crash by replaying the log from the last checkpoint.",
    "vacuum": "Vacuuming removes dead rows from tables. Autovacuum runs when enough rows of a table"
    " were updated or deleted.",
    "plants": "Plants need water and light. In photosynthesis a leaf makes sugar.",
    "stages": "The stages of the water cycle are evaporation, condensation and precipitation."
    " Water condenses in clouds.",
    "maps": "Mind maps help students to organize ideas; a teacher shares them with a class.",
}


def score(query: Sparse, passage: Sparse) -> float:
    values = dict(zip(passage.indices, passage.values, strict=True))
    rarity = dict.fromkeys(query.indices, 0)
    for other in PASSAGES.values():
        for index in {*rarity} & {*sparse.of_passage(other).indices}:
            rarity[index] += 1
    return sum(
        weight
        * values.get(index, 0)
        * math.log(1 + (len(PASSAGES) - rarity[index] + 0.5) / (rarity[index] + 0.5))
        for index, weight in zip(query.indices, query.values, strict=True)
    )


def ranked(query: str) -> list[str]:
    """The names of the passages that have anything of the query, the best first."""
    asked = sparse.of_query(query)
    scores = {name: score(asked, sparse.of_passage(text)) for name, text in PASSAGES.items()}
    found = [name for name, value in scores.items() if value > 0]
    return sorted(found, key=lambda name: -scores[name])


def plain_terms(text: str) -> Iterator[str]:
    """For the reference: pairs of Chinese characters and words, taken apart in another way."""
    run = ""
    for character in f"{text.lower()} ":
        chinese = "\u4e00" <= character <= "\u9fff"
        if run and (not character.isalnum() or chinese != ("\u4e00" <= run[0] <= "\u9fff")):
            if "\u4e00" <= run[0] <= "\u9fff":
                yield from (run[at : at + 2] for at in range(len(run) - 1))
            else:
                yield run
            run = ""
        run += character if character.isalnum() else ""


def reference(query: str) -> list[str]:
    """BM25 as in the textbook, over the passages' true average length."""
    passages = {name: [*plain_terms(text)] for name, text in PASSAGES.items()}
    average = sum(map(len, passages.values())) / len(passages)
    scores = dict.fromkeys(passages, 0.0)
    for term in {*plain_terms(query)}:
        having = sum(term in terms for terms in passages.values())
        idf = math.log(1 + (len(passages) - having + 0.5) / (having + 0.5))
        for name, terms in passages.items():
            often = terms.count(term)
            room = 1.2 * (0.25 + 0.75 * len(terms) / average)
            scores[name] += idf * often * 2.2 / (often + room)
    return sorted((name for name in scores if scores[name] > 0), key=lambda name: -scores[name])


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("光合作用", "photosynthesis"),
        ("什么是光合作用？", "photosynthesis"),
        ("呼吸作用 能量", "respiration"),
        ("水循环有哪些环节", "cycle"),
        ("水的循环", "cycle"),
        ("合作学习", "groups"),
        ("酶", "enzymes"),
        ("1840", "opium"),
        ("南京条约", "opium"),
        ("思维导图", "groups"),
        ("How does a database recover after crashes?", "wal"),
        ("what are the stages of the water cycle", "stages"),
        ("condensing clouds", "stages"),
        ("delete row", "vacuum"),
        ("mind map for classes", "maps"),
        ("ＰＨＯＴＯＳＹＮＴＨＥＳＩＳ leaves", "plants"),
    ],
)
def test_the_best_passage_is_the_first(query: str, first: str) -> None:
    assert ranked(query)[0] == first


@pytest.mark.parametrize(
    "query",
    ["光合作用", "呼吸作用", "南京条约", "思维导图总结", "water cycle", "crash", "rows table"],
)
def test_the_best_passage_is_that_of_plain_bm25(query: str) -> None:
    assert ranked(query)[0] == reference(query)[0]
    assert {*reference(query)} <= {*ranked(query)}


def test_a_passage_with_more_of_the_query_is_the_better_one() -> None:
    assert ranked("光合作用 氧气 植物")[:2] == ["photosynthesis", "respiration"]
    assert ranked("water cycle stages")[:2] == ["stages", "plants"]


def test_a_passage_without_the_query_is_not_found() -> None:
    assert ranked("拿破仑") == []
    assert ranked("kubernetes") == []
    assert ranked("?!。") == []


def test_a_short_passage_is_better_than_a_long_one_with_the_same_match() -> None:
    query = sparse.of_query("酶")
    short, long = (sparse.of_passage(f"酶{'水' * size}") for size in (3, 300))
    assert score(query, short) > score(query, long) > 0


def test_a_term_that_is_repeated_counts_less_each_time() -> None:
    once, twice, often = (max(sparse.of_passage("water " * n).values) for n in (1, 2, 50))
    assert once < twice < often < sparse.K1 + 1
    assert twice - once < once


@given(text=TEXT)
def test_vectors_have_different_ascending_indices_and_positive_values(text: str) -> None:
    for made in (sparse.of_passage(text), sparse.of_query(text)):
        assert [*made.indices] == sorted({*made.indices})
        assert len(made.indices) == len(made.values)
        assert all(0 <= index < 2**32 for index in made.indices)
        assert all(value > 0 for value in made.values)
    assert {*sparse.of_query(text).values} <= {1.0}


@given(text=TEXT)
def test_every_text_finds_itself(text: str) -> None:
    asked = sparse.of_query(text)
    assert {*asked.indices} <= {*sparse.of_passage(text).indices}
    assert bool(asked.indices) == bool([*words.terms(words.normalize(text))])


@given(run=st.text("光合作用呼吸水循环", min_size=2, max_size=8), around=TEXT)
def test_a_word_is_found_inside_of_an_unbroken_run(run: str, around: str) -> None:
    passage = {*sparse.of_passage(f"植物{run}过程 {around}").indices}
    assert {*sparse.of_query(run).indices} <= passage
    assert {*sparse.of_query(run[0]).indices} <= passage


def test_terms_have_the_same_index_at_all_times() -> None:
    assert sparse.of_query("水循环") == Sparse((3307864152, 3559240326), (1.0, 1.0))


@pytest.mark.parametrize(
    "forms",
    [
        "plant plants planted planting",
        "class classes",
        "box boxes",
        "study studies studied studying",
        "stop stops stopped stopping",
        "hope hopes hoped hoping",
        "hop hops hopped hopping",
        "make makes making",
        "create creates created creating",
        "fall falls falling",
        "add adds added adding",
        "die dies died",
        "use uses used using",
        "agree agrees agreeing",
        "query queries queried querying",
        "process processes processed",
        "evaporate evaporates evaporated evaporating",
    ],
)
def test_forms_of_an_english_word_have_one_stem(forms: str) -> None:
    assert len({*map(keywords.stem, forms.split())}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("plan", "plane"), ("hope", "hop"), ("star", "stare"), ("thing", "th")),
        *(("bring", "br"), ("need", "ne"), ("red", "r"), ("us", "use")),
    ],
)
def test_other_words_have_another_stem(one: str, other: str) -> None:
    assert keywords.stem(one) != keywords.stem(other)


@pytest.mark.parametrize(
    "word", ["", "a", "bus", "gas", "this", "光合", "é", "1990s", "цветы", "ing"]
)
def test_what_has_no_english_ending_stays(word: str) -> None:
    assert keywords.stem(word) == word


@given(word=st.text("abdeginsty", max_size=12))
def test_a_stem_is_the_beginning_of_its_word_with_a_letter_at_most(word: str) -> None:
    found = keywords.stem(word)
    assert bool(found) == bool(word)
    assert word.startswith(found[:-1])
    assert len(found) <= len(word)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("What is the water cycle?", ["water", "cycl"]),
        ("what is it", ["what", "is", "it"]),
        ("什么是水循环？", ["水循", "循环"]),
        ("细胞膜的功能", ["细胞", "胞膜", "功能"]),
        ("教学目的", ["教学", "学目", "目的"]),
        ("是什么", ["是什", "什么"]),
        ("水 Water waters", ["水", "water"]),
        ("iphone手机", ["iphon", "手机"]),
    ],
)
def test_a_query_asks_for_its_subject(text: str, terms: list[str]) -> None:
    assert keywords.of_query(text) == terms


def test_the_scores_of_the_database_are_those_of_the_vectors() -> None:
    for query in ("光合作用 植物", "stages of the water cycle", "酶", "拿破仑"):
        asked = keywords.of_query(query)
        terms = [[*keywords.of_passage(text)] for text in PASSAGES.values()]
        having = {term: sum(term in one for one in terms) for term in asked}
        scores = ranking.bm25(asked, terms, having, len(PASSAGES))
        vector = sparse.of_query(query)
        assert scores == pytest.approx(
            [score(vector, sparse.of_passage(text)) for text in PASSAGES.values()]
        )


def test_a_frequency_above_the_total_makes_no_score_negative() -> None:
    assert ranking.bm25(["water"], [["water"]], {"water": 9}, 3)[0] > 0


def test_recall_is_the_part_that_was_found() -> None:
    assert ranking.recall_at(2, ["a", "b", "c"], {"a", "c"}) == 0.5
    assert ranking.recall_at(3, ["a", "b", "c"], {"a", "c"}) == 1
    assert ranking.recall_at(3, [], {"a"}) == 0
    assert ranking.recall_at(3, ["a"], set()) == 1


def test_the_reciprocal_rank_is_that_of_the_first_relevant_one() -> None:
    assert ranking.reciprocal_rank(["a", "b"], {"a"}) == 1
    assert ranking.reciprocal_rank(["a", "b", "c"], {"c", "b"}) == 0.5
    assert ranking.reciprocal_rank(["a"], {"z"}) == 0
