"""Walks over the elements of office files."""

from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree

# Trees of another depth are no text that anybody wrote.
SAFE = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)


def name(element: Any) -> str:
    """Of an element without its namespace; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, wanted: str) -> str | None:
    """Of any namespace: the strict variant of the formats has others."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == wanted:
            return str(value)
    return None


def child(element: Any, *path: str) -> Any | None:
    """The first descendant along the names of the path."""
    for wanted in path:
        element = next((one for one in element if name(one) == wanted), None)
        if element is None:
            return None
    return element


def children(element: Any, wanted: str, *, through: frozenset[str]) -> Iterator[Any]:
    """The children of a name, also those that stand in others that only wrap them."""
    stack = list(reversed(element))
    while stack:
        one = stack.pop()
        if name(one) == wanted:
            yield one
        elif name(one) in through:
            stack += reversed(one)


def walk(element: Any, skips: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
    """The descendants in their order, and "/" with each that was passed when it ends."""
    stack: list[tuple[bool, Any]] = [(True, one) for one in reversed(element)]
    while stack:
        begins, one = stack.pop()
        tag = name(one)
        if not begins:
            yield f"/{tag}", one
        elif tag and not skips(tag):
            yield tag, one
            stack.append((False, one))
            stack += [(True, inner) for inner in reversed(one)]
