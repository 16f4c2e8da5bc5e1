"""What a diagram's spec may hold: what its kind is made of, and only what both engines give back
exactly as it was saved."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from app.diagrams.kinds import KINDS, NODE_FORM, Rule, Shape

DEEPEST = 64
# Beyond this a JavaScript client silently rounds a number.
LARGEST_INTEGER = 2**53 - 1

Spec = dict[str, Any]


class InvalidSpec(ValueError):
    """The message names the place by its JSON path."""


def check(diagram_type: str, spec: Spec, *, limit_kb: int, limit_nodes: int) -> Spec:
    """Returns the spec unchanged.

    Raises:
        InvalidSpec: of several problems the first in the order of the document. It doesn't have
            the shape of its kind; it is too large (as UTF-8 JSON text), too deep or has too many
            nodes; or it holds what PostgreSQL or a JavaScript client can't: NUL, half a surrogate
            pair, NaN, Infinity, a number beyond 2^53 - 1, which PostgreSQL gives back as another
            integer.
    """
    if diagram_type not in KINDS:
        raise InvalidSpec(f'$: there is no kind of diagram "{_shown(diagram_type)}"')
    shape = KINDS[diagram_type] if spec.get("nodes") is None else NODE_FORM
    references = _References(diagram_type, spec)
    nodes = 0
    for place in _walk(spec, shape):
        problem = _unstorable(place) or _misfit(place, references)
        if problem:
            raise InvalidSpec(f"{_path(place)}: {problem}")
        nodes += place.shape.nodes if place.shape else 0
    size = len(json.dumps(spec, ensure_ascii=False, separators=(",", ":")).encode())
    if size > limit_kb * 1024:
        # Rounded up, so that it is never the very number that is allowed.
        raise InvalidSpec(f"$: {-(-size // 1024)} KB of JSON; {limit_kb} KB is the most")
    if nodes > limit_nodes:
        raise InvalidSpec(f"$: a diagram of {nodes} nodes; {limit_nodes} is the most")
    return spec


class _Place(NamedTuple):
    within: "_Place | None"
    # Names are made only for a refusal: with a long path for each value, a small spec could fill
    # the memory.
    step: str | int
    depth: int
    value: object
    shape: Shape | None


def _walk(spec: Spec, shape: Shape) -> Iterator[_Place]:
    """Every value in the order of the document."""
    # A stack, not recursion: the input decides the depth.
    stack = [iter((_Place(None, "$", 1, spec, shape),))]
    while stack:
        place = next(stack[-1], None)
        if place is None:
            stack.pop()
            continue
        yield place
        if isinstance(place.value, dict | list):
            stack.append(_inside(place))


def _inside(place: _Place) -> Iterator[_Place]:
    shape, depth = place.shape, place.depth + 1
    if isinstance(place.value, dict):
        fields = shape.fields if shape else {}
        for key, value in place.value.items():
            yield _Place(place, key, depth, value, fields.get(key))
    elif isinstance(place.value, list):
        items = shape.items if shape else None
        for at, value in enumerate(place.value):
            yield _Place(place, at, depth, value, items)


def _path(place: _Place | None) -> str:
    steps: list[str] = []
    while place:
        step = place.step
        if isinstance(step, int):
            steps.append(f"[{step}]")
        else:
            steps.append(f".{_shown(step)}" if place.within else step)
        place = place.within
    return "".join(reversed(steps))


def _shown(text: str) -> str:
    return text[:60].encode(errors="backslashreplace").decode().replace("\x00", "\\x00")


def _unstorable(place: _Place) -> str | None:
    if place.depth > DEEPEST:
        return f"nested deeper than {DEEPEST} levels"
    key = _bad_text(place.step) if isinstance(place.step, str) else None
    value = place.value
    if key or isinstance(value, str):
        return key or _bad_text(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return "a number must be finite"
    if isinstance(value, int | float) and abs(value) > LARGEST_INTEGER:
        return f"a number may be {LARGEST_INTEGER} at most"
    return None


def _bad_text(text: str) -> str | None:
    if "\x00" in text:
        return "text must not contain the character NUL"
    # Only halves can't be encoded; a search for each would take longer.
    try:
        text.encode()
    except UnicodeEncodeError:
        return "text must not contain half a surrogate pair"
    return None


def _misfit(place: _Place, references: "_References") -> str | None:
    shape, value = place.shape, place.value
    if shape is None:
        return None
    if not isinstance(value, shape.types) or isinstance(value, bool):
        return f"must be {shape.said}, not {_called(value)}"
    if isinstance(value, dict):
        complete = all(any(value.get(name) is not None for name in names) for names in shape.needs)
        # The whole spec can be of the other form as well.
        instead = "" if place.within else ', or "nodes" instead'
        return None if complete else f"{shape.name} needs {_needs(shape)}{instead}"
    if shape.rule and isinstance(value, str):
        return references.problem(shape.rule, value)
    return None


def _called(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a number"


def _needs(shape: Shape) -> str:
    return " and ".join(_either(names) for names in shape.needs)


def _either(names: Sequence[str]) -> str:
    *others, last = (f'"{name}"' for name in names)
    return f"{', '.join(others)} or {last}" if others else last


class _References:
    """The ids of a spec's nodes, and what refers to them."""

    def __init__(self, diagram_type: str, spec: Spec) -> None:
        self.diagram_type = diagram_type
        self.parents = _parents(spec.get("nodes"))
        self.endless = _endless(self.parents)
        self.seen: set[str] = set()

    def problem(self, rule: Rule, value: str) -> str | None:
        if rule == "kind":
            wrong = value != self.diagram_type
            return f'must be "{self.diagram_type}" like the kind of the diagram' if wrong else None
        if rule == "id":
            return self._problem_of_id(value)
        if value not in self.parents:
            return f'there is no node with the id "{_shown(value)}"'
        if rule == "parent" and value in self.endless:
            return "the parents of this node go round in a circle"
        return None

    def _problem_of_id(self, value: str) -> str | None:
        if not value:
            return "an id must not be empty"
        if value in self.seen:
            return f'an earlier node has the id "{_shown(value)}" already'
        self.seen.add(value)
        return None


def _parents(nodes: object) -> dict[str, object]:
    """The `parentId` of each id, of the first node that has it."""
    parents: dict[str, object] = {}
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and isinstance(node.get("id"), str):
            parents.setdefault(node["id"], node.get("parentId"))
    return parents


def _endless(parents: dict[str, object]) -> set[str]:
    """The nodes above which there is no topmost one."""
    children: dict[str | None, list[str]] = defaultdict(list)
    for node, parent in parents.items():
        known = isinstance(parent, str) and parent in parents
        children[str(parent) if known else None].append(node)
    below = children[None]
    endless = set(parents)
    while below:
        node = below.pop()
        endless.discard(node)
        below += children[node]
    return endless
