"""What is found, in Chinese and in English, on both engines."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.http.browsers import Browser, Service
from tests.http.test_diagrams import ANY, MAP, save

WATER = {"topic": "水循环", "children": [{"text": "Evaporation of WATER"}, {"text": "降水"}]}
PLANT = {"topic": "光合作用", "children": [{"text": "chlorophyll it's"}, {"text": "叶子的颜色"}]}
# The pairs of 光合作用 without the word.
PAIRS = {"topic": "作用 合作 光合", "children": []}


@pytest.fixture
def maps(alice: Browser) -> None:
    save(alice, title="Water cycle 100%", spec=WATER, language="en")
    save(alice, title="植物", spec=PLANT)
    save(alice, title="pairs_", spec=PAIRS, diagram_type="mind_map")
    save(
        alice,
        title="Café ﬁsh",
        diagram_type="bubble_map",
        spec={"topic": "ＡＢＣ", "attributes": []},
    )


def found(browser: Browser, query: str, **params: Any) -> set[str]:
    answer = browser.get("/api/diagrams", params={"q": query, **params})
    assert answer.status_code == 200, answer.text
    return {item["title"] for item in answer.json()["items"]}


@pytest.mark.usefixtures("maps")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("光合作用", {"植物"}),
        ("光合", {"植物", "pairs_"}),
        ("光", {"植物", "pairs_"}),
        ("颜色", {"植物"}),
        ("色颜", set()),
        ("降水", {"Water cycle 100%"}),
        ("water", {"Water cycle 100%"}),
        ("WAT", {"Water cycle 100%"}),
        ("ater", set()),
        ("water evaporation", {"Water cycle 100%"}),
        ("water chlorophyll", set()),
        ("植物 chloro", {"植物"}),
        ("café", {"Café ﬁsh"}),
        ("fish", {"Café ﬁsh"}),
        ("abc", {"Café ﬁsh"}),
        ("100%", {"Water cycle 100%"}),
        ("pairs_", {"pairs_"}),
        ("it's", {"植物"}),
    ],
)
def test_a_diagram_is_found_by_the_words_in_it(
    alice: Browser, query: str, expected: set[str]
) -> None:
    assert found(alice, query) == expected


@pytest.mark.usefixtures("maps")
@pytest.mark.parametrize(
    "query", ["", " ", "%", "...", "，。", '"', "'", "\\", "\x00", "🌱", "\ufe0f"]
)
def test_a_query_without_a_word_finds_nothing(alice: Browser, query: str) -> None:
    assert found(alice, query) == set()


@pytest.mark.usefixtures("maps")
@pytest.mark.parametrize(
    "query",
    [
        "water' & !x",
        "water:*",
        'water" OR "x',
        "water AND",
        "NOT water",
        "NEAR(water x)",
        "terms:water",
        "water*",
        "\\'water\\",
        "(water",
        "water) -- ;",
        "光合作用%' ESCAPE '/",
        "\ue0001",
        "\ue0002 water",
        "a" * 200,
        "水" * 200,
        " ".join("abcdefghij" * 10),
        "ﷺ" * 200,
        "\U0010ffff\ufffe x",
    ],
)
def test_what_looks_like_syntax_is_text(alice: Browser, query: str) -> None:
    assert found(alice, query) <= {"Water cycle 100%"}


@pytest.mark.usefixtures("maps")
def test_a_search_and_the_filters_narrow_each_other(alice: Browser) -> None:
    assert found(alice, "光合", type="mind_map") == {"植物", "pairs_"}
    assert found(alice, "光合", type="bubble_map") == set()
    assert found(alice, "water", language="en") == {"Water cycle 100%"}
    assert found(alice, "water", language="zh") == set()
    (plant,) = alice.get("/api/diagrams?q=植物").json()["items"]
    alice.put(f"/api/diagrams/{plant['id']}/pin")
    assert found(alice, "光合", pinned=True) == {"植物"}
    assert found(alice, "光合", pinned=False) == {"pairs_"}
    first = alice.get("/api/diagrams", params={"q": "光合", "limit": 1}).json()
    assert [one["title"] for one in first["items"]] == ["植物"]
    rest = {"q": "光合", "limit": 1, "cursor": first["next_cursor"]}
    second = alice.get("/api/diagrams", params=rest).json()
    assert [one["title"] for one in second["items"]] == ["pairs_"]
    assert second["next_cursor"] is None


@pytest.mark.usefixtures("maps")
def test_the_list_is_filtered_without_a_search_too(alice: Browser) -> None:
    def titles(**params: Any) -> list[str]:
        items = alice.get("/api/diagrams", params=params).json()["items"]
        return [item["title"] for item in items]

    assert len(titles()) == 4
    assert titles(type="bubble_map") == ["Café ﬁsh"]
    assert titles(language="en") == ["Water cycle 100%"]
    assert titles(pinned=True) == []
    assert len(titles(pinned=False)) == 4
    for params in ({"type": "pie"}, {"pinned": "x"}, {"language": "no language"}, {"q": "x" * 201}):
        answer = alice.get("/api/diagrams", params=params)
        assert (answer.status_code, answer.json()["error"]) == (422, "InvalidPayload")
        assert answer.json()["detail"][0]["where"] == ["query", *params]


def test_what_is_found_follows_every_change(alice: Browser) -> None:
    made = save(alice, title="first", spec=WATER)
    assert found(alice, "降水") == {"first"}
    alice.put(f"/api/diagrams/{made}", json=MAP | {"title": "second"}, headers=ANY)
    assert found(alice, "降水") == found(alice, "first") == set()
    assert found(alice, "second") == {"second"}
    alice.patch(f"/api/diagrams/{made}", json={"spec": PLANT}, headers=ANY)
    assert found(alice, "颜色") == {"second"}
    copied = alice.post(f"/api/diagrams/{made}/duplicate", json={"title": "third"}).json()
    assert found(alice, "颜色") == {"second", "third"}
    alice.delete(f"/api/diagrams/{made}")
    assert found(alice, "颜色") == {"third"}
    alice.post(f"/api/diagrams/{made}/restore")
    assert found(alice, "颜色") == {"second", "third"}
    alice.delete(f"/api/diagrams/{copied['id']}")
    alice.delete(f"/api/diagrams/{copied['id']}/purge")
    assert found(alice, "颜色") == {"second"}


def test_nobody_finds_what_somebody_else_has(alice: Browser, bob: Browser) -> None:
    save(alice, title="of alice", spec=WATER)
    save(bob, title="of bob", spec=WATER)
    assert found(alice, "降水") == {"of alice"}
    assert found(bob, "降水") == {"of bob"}


@pytest.mark.parametrize("query", ["光合作用", "water", "a 水 b"])
def test_a_search_takes_one_query_however_much_is_found(
    service: Service, alice: Browser, query: str
) -> None:
    counts = []
    for _ in range(2):
        for at in range(6):
            save(alice, title=f"{at}", spec={"topic": "a b water 光合作用 水", "children": []})
        alice.get("/api/diagrams", params={"q": query})
        with service.statements() as seen:
            assert len(found(alice, query)) == 6
        selects = [one for one in seen if one.startswith("SELECT")]
        assert not any("spec" in one.split("FROM")[0] for one in selects)
        counts.append(len(selects))
    assert counts == [1, 1]


def test_the_largest_diagram_can_be_saved_and_found(service: Service, alice: Browser) -> None:
    # As many different pairs of characters as fit: what is made of them for the index is larger.
    characters = "".join(chr(0x4E00 + at * 7919 % 20_000) for at in range(160_000))
    parts = [characters[at : at + 100] for at in range(0, len(characters), 100)]
    large = {"topic": "largest", "children": [{"text": one} for one in parts]}
    save(alice, title="largest", spec=large)
    assert found(alice, "largest") == {"largest"}
    assert found(alice, parts[3][:8]) == {"largest"}
    with service.app.state.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM diagram_texts")) == 1
