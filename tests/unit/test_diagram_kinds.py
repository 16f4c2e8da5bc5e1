"""app/diagrams/spec.py and kinds.py: what the ten kinds of diagrams are made of."""

import copy
import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.diagrams import kinds
from app.diagrams.spec import InvalidSpec, check
from tests.unit.diagrams import DIAGRAMS, KINDS, OWN_FORMS, Spec, node_forms

FULL_NODE_FORM = node_forms("mind_map")[-1]


def accepted(kind: str, spec: Spec, limit_nodes: int = 100) -> Spec:
    return check(kind, spec, limit_kb=500, limit_nodes=limit_nodes)


def refusal(kind: str, spec: Spec, limit_nodes: int = 100_000) -> str:
    with pytest.raises(InvalidSpec) as caught:
        accepted(kind, spec, limit_nodes)
    return str(caught.value)


def nodes(*parents: str | None, **connection: object) -> Spec:
    """A node form whose nodes 0, 1, ... have these parents."""
    made = [{"id": str(at), "parentId": parent} for at, parent in enumerate(parents)]
    return {"nodes": made, "connections": [connection] if connection else []}


def test_each_kind_has_a_shape_and_examples() -> None:
    assert sorted(kinds.KINDS) == sorted(get_args(kinds.DiagramType)) == KINDS


@pytest.mark.parametrize(("kind", "spec"), DIAGRAMS)
def test_both_forms_of_each_kind_are_accepted(kind: str, spec: Spec) -> None:
    before = copy.deepcopy(spec)
    assert accepted(kind, spec) is spec
    assert spec == before


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("brace_map", '"whole" or "topic"'),
        ("bridge_map", '"analogies"'),
        ("bubble_map", '"topic"'),
        ("circle_map", '"topic"'),
        ("concept_map", '"topic"'),
        ("double_bubble_map", '"left" and "right"'),
        ("flow_map", '"title" or "topic"'),
        ("mind_map", '"topic"'),
        ("multi_flow_map", '"event"'),
        ("tree_map", '"topic"'),
    ],
)
def test_a_refusal_of_an_empty_spec_says_what_is_needed(kind: str, needed: str) -> None:
    name = kind.replace("_", " ")
    for spec in ({}, {"x": 1}, {"nodes": None}):
        assert refusal(kind, spec) == f'$: a {name} needs {needed}, or "nodes" instead'


@pytest.mark.parametrize("kind", ["pie", "", "\x00\ud800", "mind_map "])
def test_a_kind_that_there_is_not_is_refused_and_can_be_told(kind: str) -> None:
    said = refusal(kind, {"topic": ""})
    assert said.startswith("$: there is no kind of diagram ")
    assert "\x00" not in said.encode().decode()


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("mind_map", {"topic": 1}, "$.topic: must be text, not a number"),
        ("mind_map", {"topic": True}, "$.topic: must be text, not true"),
        ("mind_map", {"topic": "", "children": {}}, "$.children: must be a list, not an object"),
        ("mind_map", {"topic": "", "children": None}, "$.children: must be a list, not null"),
        (
            "mind_map",
            {"topic": "", "children": [[]]},
            "$.children[0]: must be text or an object, not a list",
        ),
        (
            "mind_map",
            {"topic": "", "children": ["", {"label": "", "children": [{"id": "a"}]}]},
            '$.children[1].children[0]: an item needs "text", "label" or "name"',
        ),
        ("tree_map", {"topic": "", "children": "x"}, "$.children: must be a list, not text"),
        (
            "brace_map",
            {"whole": "", "parts": [{"name": "", "subparts": [{"name": []}]}]},
            "$.parts[0].subparts[0].name: must be text, not a list",
        ),
        (
            "bridge_map",
            {"analogies": [{"left": "a"}]},
            '$.analogies[0]: an analogy needs "left" and "right"',
        ),
        ("bridge_map", {"analogies": ["a"]}, "$.analogies[0]: must be an object, not text"),
        ("bubble_map", {"topic": "", "attributes": [1]}, "$.attributes[0]: must be text or"),
        ("circle_map", {"topic": "", "context": [None]}, "$.context[0]: must be text or"),
        (
            "concept_map",
            {"topic": "", "relationships": [{"from": "a"}]},
            '$.relationships[0]: a relationship needs "from" and "to"',
        ),
        ("double_bubble_map", {"left": ""}, '$: a double bubble map needs "left" and "right", or'),
        (
            "double_bubble_map",
            {"left": "", "right": {}},
            "$.right: must be text, not an object",
        ),
        (
            "flow_map",
            {"title": "", "substeps": [{"substeps": []}]},
            '$.substeps[0]: an entry of substeps needs "step"',
        ),
        ("multi_flow_map", {"event": "", "causes": 0.5}, "$.causes: must be a list, not a number"),
        ("multi_flow_map", {"event": "", "effects": [{}]}, "$.effects[0]: an item needs"),
    ],
)
def test_a_refusal_names_what_is_wrong_in_a_form_of_its_own(
    kind: str, spec: Spec, said: str
) -> None:
    assert refusal(kind, spec).startswith(said)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"nodes": {}}, "$.nodes: must be a list, not an object"),
        ({"nodes": ["a"]}, "$.nodes[0]: must be an object, not text"),
        ({"nodes": [{"text": "a"}]}, '$.nodes[0]: a node needs "id"'),
        ({"nodes": [{"id": ""}]}, "$.nodes[0].id: an id must not be empty"),
        ({"nodes": [{"id": 1}]}, "$.nodes[0].id: must be text, not a number"),
        (
            {"nodes": [{"id": "a"}, {"id": "b"}, {"id": "a"}]},
            '$.nodes[2].id: an earlier node has the id "a" already',
        ),
        ({"nodes": [{"id": "a", "text": 1}]}, "$.nodes[0].text: must be text, not a number"),
        ({"nodes": [{"id": "a", "label": []}]}, "$.nodes[0].label: must be text, not a list"),
        (nodes(None, "7"), '$.nodes[1].parentId: there is no node with the id "7"'),
        (nodes(""), '$.nodes[0].parentId: there is no node with the id ""'),
        (nodes("0"), "$.nodes[0].parentId: the parents of this node go round in a circle"),
        (
            nodes(None, "0", "3", "4", "2"),
            "$.nodes[2].parentId: the parents of this node go round in a circle",
        ),
        (
            {"nodes": [{"id": "a", "position": [1, 2]}]},
            "$.nodes[0].position: must be an object, not a list",
        ),
        (
            {"nodes": [{"id": "a", "position": {"x": 1}}]},
            '$.nodes[0].position: a position needs "x" and "y"',
        ),
        (
            {"nodes": [{"id": "a", "position": {"x": 1, "y": "2"}}]},
            "$.nodes[0].position.y: must be a number, not text",
        ),
        (
            {"nodes": [{"id": "a", "position": {"x": True, "y": 2}}]},
            "$.nodes[0].position.x: must be a number, not true",
        ),
        ({"nodes": [], "connections": {}}, "$.connections: must be a list, not an object"),
        (
            nodes(None, source="0"),
            '$.connections[0]: a connection needs "source" and "target"',
        ),
        (
            nodes(None, source="0", target="x" * 100),
            f'$.connections[0].target: there is no node with the id "{"x" * 60}"',
        ),
        (
            nodes(None, source="0", target="0", label=1),
            "$.connections[0].label: must be text, not a number",
        ),
        (
            {"type": "tree_map", "nodes": []},
            '$.type: must be "mind_map" like the kind of the diagram',
        ),
        ({"topic": "", "nodes": 1}, "$.nodes: must be a list, not a number"),
    ],
)
def test_a_refusal_names_what_is_wrong_in_the_node_form(spec: Spec, said: str) -> None:
    assert refusal("mind_map", spec) == said


@given(diagram=st.sampled_from(DIAGRAMS), data=st.data())
def test_of_several_problems_the_first_is_reported(
    diagram: tuple[str, Spec], data: st.DataObject
) -> None:
    """Spoils two places; the one that the JSON text has first is named."""
    kind, spec = diagram
    spec = copy.deepcopy(spec) | {"x": 1, "y": {"z": [1, 2]}}
    # Without an id, what refers to it would be another problem.
    places = [place for place in leaves(spec) if not place[2].endswith(".id")]
    chosen = data.draw(
        st.lists(st.integers(0, len(places) - 1), min_size=1, max_size=2, unique=True)
    )
    for at in chosen:
        holder, key, _ = places[at]
        holder[key] = "\x00"
    _, _, first = places[min(chosen)]
    assert refusal(kind, spec) == f"{first}: text must not contain the character NUL"


def leaves(value: Any, path: str = "$") -> Iterator[tuple[Any, Any, str]]:
    """Where texts, numbers and null stand, in the order of the document."""
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in list(steps):
        place = f"{path}.{step}" if isinstance(step, str) else f"{path}[{step}]"
        if isinstance(inner, dict | list):
            yield from leaves(inner, place)
        else:
            yield value, step, place


def test_a_wrong_shape_and_a_bad_value_are_reported_in_the_order_of_the_document() -> None:
    assert refusal("mind_map", {"topic": "\x00", "children": 1}).startswith("$.topic: ")
    assert refusal("mind_map", {"children": 1, "topic": "\x00"}).startswith("$.children: ")


@pytest.mark.parametrize(
    ("kind", "spec", "count"),
    [
        ("mind_map", OWN_FORMS["mind_map"][-1], 4),
        ("brace_map", OWN_FORMS["brace_map"][-1], 6),
        ("bridge_map", OWN_FORMS["bridge_map"][-1], 2),
        ("concept_map", OWN_FORMS["concept_map"][-1], 3),
        ("double_bubble_map", OWN_FORMS["double_bubble_map"][-1], 4),
        ("flow_map", OWN_FORMS["flow_map"][-1], 5),
        ("multi_flow_map", OWN_FORMS["multi_flow_map"][-1], 3),
        ("mind_map", FULL_NODE_FORM, 3),
    ],
)
def test_all_nodes_are_counted(kind: str, spec: Spec, count: int) -> None:
    accepted(kind, spec, limit_nodes=count)
    said = refusal(kind, spec, limit_nodes=count - 1)
    assert said == f"$: a diagram of {count} nodes; {count - 1} is the most"


EXTRAS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.just("text"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("text"), inner),
    max_leaves=5,
)


@given(diagram=st.sampled_from(DIAGRAMS), extra=EXTRAS)
def test_fields_that_nothing_knows_may_hold_anything_anywhere(
    diagram: tuple[str, Spec], extra: Any
) -> None:
    kind, spec = diagram
    told = json.loads(json.dumps(spec), object_hook=lambda fields: fields | {"extra": extra})
    assert accepted(kind, told) is told


@given(parents=st.lists(st.none() | st.integers(0, 7), max_size=8))
def test_parents_are_accepted_exactly_when_each_way_up_ends(parents: list[int | None]) -> None:
    spec = nodes(*[None if parent is None else str(parent) for parent in parents])
    fine = all(way_up_ends(at, parents) for at in range(len(parents)))
    try:
        accepted("mind_map", spec)
    except InvalidSpec:
        assert not fine
    else:
        assert fine


def way_up_ends(at: int | None, parents: list[int | None]) -> bool:
    for _ in range(len(parents) + 1):
        if at is None:
            return True
        if at >= len(parents):
            return False
        at = parents[at]
    return False


@pytest.mark.parametrize("circle", [False, True])
def test_a_long_chain_of_parents_overflows_no_stack(circle: bool) -> None:
    chain = [None, *map(str, range(9_999))]
    if circle:
        assert "circle" in refusal("mind_map", nodes("9999", *chain[1:]))
    else:
        accepted("mind_map", nodes(*chain), limit_nodes=10_000)


def test_a_deep_branch_is_followed_to_its_end() -> None:
    branch: Any = {"text": 1}
    for _ in range(29):
        branch = {"text": "", "children": [branch]}
    spec = {"topic": "", "children": [branch]}
    assert refusal("mind_map", spec) == f"${'.children[0]' * 30}.text: must be text, not a number"
