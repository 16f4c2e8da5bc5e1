"""Copies of somebody's diagrams: single ones, and the beginning of the list."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from pydantic import BaseModel

from app.cache import keys
from app.cache.entries import Cache
from app.diagrams.schemas import DiagramOut, DiagramSummary

# Pages are served from the beginning of the list. Those that begin further down, or that a filter
# makes, are asked for rarely, and in so many ways that anybody could fill Redis with them.
BEGINNING = 50


class Beginning(BaseModel):
    """The first diagrams of a list, and one more where it goes on."""

    items: list[DiagramSummary]


def read_beginning(
    cache: Cache, user_id: int, load: Callable[[], list[DiagramSummary]]
) -> list[DiagramSummary]:
    """The list's first `BEGINNING` + 1 diagrams, which `load` gets from the database."""
    found = cache.read_as(
        keys.diagram_list(user_id),
        keys.DIAGRAM_LIST_TTL,
        Beginning,
        lambda: Beginning(items=load()),
    )
    return found.items if found else []


def read_one(
    cache: Cache, user_id: int, diagram_id: str, load: Callable[[], DiagramOut | None]
) -> DiagramOut | None:
    key = keys.diagram(user_id, diagram_id)
    return cache.read_as(key, keys.DIAGRAM_TTL, DiagramOut, load)


def changing(cache: Cache, user_id: int, *diagram_ids: str) -> AbstractContextManager[None]:
    """Goes around the transaction of a write. New diagrams needn't be named."""
    ones = (keys.diagram(user_id, diagram_id) for diagram_id in diagram_ids)
    return cache.changing(keys.diagram_list(user_id), *ones)
