"""What the specs of the ten kinds look like. Fields that nothing here names may hold anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Literal

DiagramType = Literal[
    "brace_map",
    "bridge_map",
    "bubble_map",
    "circle_map",
    "concept_map",
    "double_bubble_map",
    "flow_map",
    "mind_map",
    "multi_flow_map",
    "tree_map",
]

# What a field of the node form refers to; spec.py knows how to check each.
Rule = Literal["kind", "id", "node", "parent"]


@dataclass(frozen=True)
class Shape:
    """What a value may be."""

    # In the words of a refusal, "must be ...".
    said: str
    types: tuple[type, ...]
    # Of each item of a list.
    items: "Shape | None" = None
    # Of an object. A field that is null is as good as one that isn't there, unless it is a list.
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    # Of each group one field at least must be there.
    needs: tuple[tuple[str, ...], ...] = ()
    # What an object is called in a refusal, "... needs ...".
    name: str = ""
    # How many nodes of the diagram this is, without those inside of it.
    nodes: int = 0
    rule: Rule | None = None


def _text(nodes: int = 0, rule: Rule | None = None) -> Shape:
    return Shape("text", (str, NoneType), nodes=nodes, rule=rule)


def _list_of(items: Shape) -> Shape:
    return Shape("a list", (list,), items=items)


def _object(
    name: str, fields: Mapping[str, Shape], *needs: tuple[str, ...], nodes: int = 0
) -> Shape:
    return Shape("an object", (dict,), fields=fields, needs=needs, name=name, nodes=nodes)


def _item(*below: str) -> Shape:
    """A text, or an object with one, which may have lists of such items in the fields `below`."""
    fields = {"id": ID, "text": TEXT, "label": TEXT, "name": TEXT}
    item = Shape(
        "text or an object",
        (str, dict),
        fields=fields,
        needs=(("text", "label", "name"),),
        name="an item",
        nodes=1,
    )
    fields |= dict.fromkeys(below, _list_of(item))
    return item


TEXT = _text()
TOPIC = _text(nodes=1)
NUMBER = Shape("a number", (int, float))
# Nothing refers to the ids of the kinds' own forms, and some clients count them.
ID = Shape("text or a number", (str, int, float, NoneType))
ITEMS = _list_of(_item())
BRANCHES = _list_of(_item("children"))
PARTS = _list_of(_item("subparts", "children"))
SUBSTEPS = _object("an entry of substeps", {"step": TEXT, "substeps": ITEMS}, ("step",))
ANALOGY = _object("an analogy", {"id": ID, "left": TOPIC, "right": TOPIC}, ("left",), ("right",))
RELATIONSHIP = _object(
    "a relationship", {"from": TEXT, "to": TEXT, "label": TEXT}, ("from",), ("to",)
)

# The form of its own that each kind has.
KINDS: Mapping[str, Shape] = {
    "brace_map": _object(
        "a brace map",
        {"whole": TOPIC, "topic": TOPIC, "dimension": TEXT, "parts": PARTS},
        ("whole", "topic"),
    ),
    "bridge_map": _object(
        "a bridge map",
        {"relating_factor": TEXT, "dimension": TEXT, "analogies": _list_of(ANALOGY)},
        ("analogies",),
    ),
    "bubble_map": _object("a bubble map", {"topic": TOPIC, "attributes": ITEMS}, ("topic",)),
    "circle_map": _object("a circle map", {"topic": TOPIC, "context": ITEMS}, ("topic",)),
    "concept_map": _object(
        "a concept map",
        {"topic": TOPIC, "concepts": ITEMS, "relationships": _list_of(RELATIONSHIP)},
        ("topic",),
    ),
    "double_bubble_map": _object(
        "a double bubble map",
        {
            "left": TOPIC,
            "right": TOPIC,
            "similarities": ITEMS,
            "left_differences": ITEMS,
            "right_differences": ITEMS,
        },
        ("left",),
        ("right",),
    ),
    "flow_map": _object(
        "a flow map",
        {"title": TOPIC, "topic": TOPIC, "steps": ITEMS, "substeps": _list_of(SUBSTEPS)},
        ("title", "topic"),
    ),
    "mind_map": _object("a mind map", {"topic": TOPIC, "children": BRANCHES}, ("topic",)),
    "multi_flow_map": _object(
        "a multi flow map", {"event": TOPIC, "causes": ITEMS, "effects": ITEMS}, ("event",)
    ),
    "tree_map": _object(
        "a tree map", {"topic": TOPIC, "dimension": TEXT, "children": BRANCHES}, ("topic",)
    ),
}

POSITION = Shape(
    "an object",
    (dict, NoneType),
    fields={"x": NUMBER, "y": NUMBER},
    needs=(("x",), ("y",)),
    name="a position",
)
NODE = _object(
    "a node",
    {
        "id": _text(rule="id"),
        "text": TEXT,
        "label": TEXT,
        "parentId": _text(rule="parent"),
        "position": POSITION,
    },
    ("id",),
    nodes=1,
)
END = _text(rule="node")
CONNECTION = _object(
    "a connection",
    {"id": TEXT, "source": END, "target": END, "label": TEXT},
    ("source",),
    ("target",),
)
# The form that all kinds have in common.
NODE_FORM = _object(
    "a diagram",
    {
        "type": _text(rule="kind"),
        "nodes": _list_of(NODE),
        "connections": _list_of(CONNECTION),
    },
    ("nodes",),
)
