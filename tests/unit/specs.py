"""Specs as a client may send them, good and bad, and what it means that two are equal."""

from typing import Any

from hypothesis import strategies as st

TEXT = st.one_of(
    st.text(max_size=8),
    # Characters that one of the engines, JSON or a browser treats in a way of its own.
    st.text(
        alphabet="\x00\x1f\x7f\u2028\ud800\udfff\ufeff\uffff\U0010ffff'\"\\/👩🏽‍🔬水a", max_size=6
    ),
)
NUMBERS = st.one_of(
    st.integers(-(2**53) - 1, 2**53 + 1),
    st.integers(),
    st.floats(),
    st.sampled_from([2**53 - 1, 1 - 2**53, 1e15, 1e16, 1e22, 1e23, 5e-324, 1e-7, 0.1 + 0.2]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
SPECS = st.dictionaries(TEXT, VALUES, max_size=4)


def as_mind_map(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with what makes a mind map of it, and without what may make a broken one."""
    fields = {name: value for name, value in spec.items() if name not in {"children", "nodes"}}
    return fields | {"topic": "水"}


MIND_MAPS = SPECS.map(as_mind_map)


def same(one: Any, other: Any) -> bool:
    """Equal in kind as well: Python takes True, 1 and 1.0 for equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
