"""app/diagrams/spec.py: what is accepted comes back as it was; what is refused is named."""

import json
import math
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.diagrams.spec import DEEPEST, LARGEST_INTEGER, InvalidSpec, check
from tests.unit.specs import MIND_MAPS, as_mind_map, same

# A walk to one place in a spec: names of fields and positions in lists.
PLACES = st.lists(st.text("abc", min_size=1, max_size=3) | st.integers(0, 3), max_size=8)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NUMBERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.floats(
    -LARGEST_INTEGER, LARGEST_INTEGER
)
GOOD = st.dictionaries(
    TEXT,
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
).map(as_mind_map)
BAD = st.sampled_from(
    [
        "\x00",
        "nul\x00inside",
        "\ud800",
        "half \udfff",
        math.nan,
        math.inf,
        -math.inf,
        2**53,
        -(2**53),
        float(2**53),
        1e23,
        10**5000,
    ]
)


def put(value: object, place: list[str | int]) -> tuple[dict[str, Any], str]:
    """A mind map with the value at the place, and the JSON path of that place."""
    path = "$.root"
    for step in place:
        path += f".{step}" if isinstance(step, str) else f"[{step}]"
    for step in reversed(place):
        value = {step: value} if isinstance(step, str) else [None] * step + [value]
    return as_mind_map({"root": value}), path


def nested(levels: int) -> dict[str, Any]:
    """A mind map of so many levels, lists and objects in turn."""
    value: Any = {} if levels % 2 else []
    for level in range(levels - 1, 0, -1):
        value = {"a": value} if level % 2 else [value]
    return as_mind_map(value)


def accepted(spec: dict[str, Any], limit_kb: int = 500) -> dict[str, Any]:
    return check("mind_map", spec, limit_kb=limit_kb, limit_nodes=5_000)


def refusal(spec: dict[str, Any], limit_kb: int = 500) -> str:
    with pytest.raises(InvalidSpec) as caught:
        accepted(spec, limit_kb)
    return str(caught.value)


@given(spec=GOOD)
def test_what_is_accepted_survives_json_unchanged(spec: dict[str, Any]) -> None:
    assert accepted(spec) is spec
    for ascii_only in (True, False):
        text = json.dumps(spec, ensure_ascii=ascii_only, allow_nan=False)
        assert same(json.loads(text.encode()), spec)


@given(spec=MIND_MAPS)
def test_a_spec_is_refused_exactly_when_it_holds_something_bad(spec: dict[str, Any]) -> None:
    bad = any(is_bad(value) for value in parts(spec))
    try:
        accepted(spec)
    except InvalidSpec:
        assert bad
    else:
        assert not bad


def parts(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from parts(inner)
    if isinstance(value, list):
        for inner in value:
            yield from parts(inner)


def is_bad(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value or len(value.encode(errors="ignore").decode()) < len(value)
    if isinstance(value, int | float):
        return not -(2**53) < value < 2**53
    return False


@given(value=BAD, place=PLACES)
def test_a_refusal_names_the_place_of_a_bad_value(value: object, place: list[str | int]) -> None:
    spec, path = put(value, place)
    assert refusal(spec).startswith(f"{path}: ")


@given(place=PLACES)
def test_a_refusal_names_the_place_of_a_bad_key(place: list[str | int]) -> None:
    spec, path = put({"half \ud800": 1}, place)
    assert refusal(spec) == (f"{path}.half \\ud800: text must not contain half a surrogate pair")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"a": [{"b": "x\x00"}]}, "$.a[0].b: text must not contain the character NUL"),
        ({"a\x00b": 1}, "$.a\\x00b: text must not contain the character NUL"),
        ({"主题": "\udc00"}, "$.主题: text must not contain half a surrogate pair"),
        ({"a": math.nan}, "$.a: a number must be finite"),
        ({"a": [0, -math.inf]}, "$.a[1]: a number must be finite"),
        ({"a": 2**53}, "$.a: a number may be 9007199254740991 at most"),
        ({"a": -(2**53)}, "$.a: a number may be 9007199254740991 at most"),
        ({"a": {"b": 1e300}}, "$.a.b: a number may be 9007199254740991 at most"),
    ],
)
def test_a_refusal_says_what_is_wrong(spec: dict[str, Any], said: str) -> None:
    assert refusal(as_mind_map(spec)) == said


def test_what_a_refusal_says_can_be_sent_and_is_short() -> None:
    said = refusal({"topic": "", "\ud800\x00" * 5000: {"x" * 5000: 1}})
    assert len(said.encode()) < 1000
    assert "\x00" not in said


@pytest.mark.parametrize("number", [LARGEST_INTEGER, -LARGEST_INTEGER, 5e-324, -0.0, 0.1 + 0.2])
def test_the_largest_and_smallest_numbers_are_accepted(number: float) -> None:
    accepted(as_mind_map({"a": number}), limit_kb=1)


def test_booleans_are_no_numbers() -> None:
    spec = as_mind_map({"a": True, "b": [False, None]})
    assert accepted(spec, limit_kb=1) is spec


def test_the_deepest_spec_is_accepted_and_one_level_more_is_not() -> None:
    accepted(nested(DEEPEST), limit_kb=1)
    path = "$" + ".a[0]" * (DEEPEST // 2)
    assert refusal(nested(DEEPEST + 1)) == f"{path}: nested deeper than 64 levels"


@pytest.mark.parametrize("levels", [10_000, 100_000])
def test_a_very_deep_spec_is_refused_and_overflows_no_stack(levels: int) -> None:
    assert refusal(nested(levels)).endswith(": nested deeper than 64 levels")


def test_a_very_wide_spec_is_walked_to_its_end() -> None:
    wide = {"topic": "", "a": [0] * 100_000 + ["\x00"]}
    assert refusal(wide).startswith("$.a[100000]: ")


def test_long_names_around_many_values_cost_no_memory() -> None:
    inner: Any = [0] * 100_000
    for _ in range(DEEPEST - 3):
        inner = {"x" * 60: inner}
    tracemalloc.start()
    try:
        accepted(as_mind_map({"a": inner}))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000


@pytest.mark.parametrize("text", ["a", "水", "🌱", '"', "\n"])
def test_the_size_counts_bytes_of_the_json_text(text: str) -> None:
    one = len(json.dumps(text, ensure_ascii=False).encode()) - 2
    room = 1024 - len('{"topic":""}')
    accepted({"topic": text * (room // one)}, limit_kb=1)
    assert refusal({"topic": text * (room // one + 1)}, limit_kb=1).startswith("$: ")


def test_a_refusal_of_a_large_spec_says_how_large_it_may_be() -> None:
    assert refusal({"topic": "x" * 2048}, limit_kb=2) == "$: 3 KB of JSON; 2 KB is the most"
