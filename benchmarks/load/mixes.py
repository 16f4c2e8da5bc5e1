"""Requests of several kinds in a random order that is always the same."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.load import world
from benchmarks.load.generator import Request
from benchmarks.load.world import Person

# Of each kind so many in a hundred requests.
MIXES = {
    "reading": {"reads": 70, "lists": 20, "searches": 5, "saves": 5},
    "mixed": {"reads": 45, "lists": 15, "saves": 25, "usages": 15},
    "writing": {"creations": 40, "saves": 40, "usages": 20},
    "recording of usage": {"usages": 100},
    "saves beside a report": {"saves": 100},
}


def mixed(folk: Sequence[Person], name: str) -> list[Request]:
    chance = random.Random(7)  # noqa: S311 - no secret
    shares = MIXES[name]
    kinds = {kind: getattr(world, kind)(folk) for kind in shares}
    names = chance.choices(list(shares), list(shares.values()), k=4_000)
    return [chance.choice(kinds[kind]) for kind in names]
