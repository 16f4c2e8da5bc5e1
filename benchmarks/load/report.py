"""Writes the figures that benchmarks have left in build/bench into docs/performance.md.

Run it from the checkout: .venv/bin/python -m benchmarks.load.report

Each benchmark has a section between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. Nothing else
is touched, and a section whose benchmark left no figures stays as it is.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.load import plots, results, tables
from benchmarks.load.results import say
from tests.places import CHECKOUT

PAGE = CHECKOUT / "docs" / "performance.md"
LONGEST_ROW = 110
SECTIONS: dict[str, Callable[[Any], Iterator[str]]] = {
    "limits": tables.limits,
    "engines": tables.engines,
    "overload": tables.overload,
    "pooling": tables.pooling,
    "growth": tables.growth,
    "soak": tables.soak,
}


class MarkersMissing(Exception):
    """The page has no place for the figures of a benchmark; the message says what to add."""


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in SECTIONS:
        found = results.read(name)
        if found is None:
            say(f"{name}: no figures in build/bench; its section stays")
            continue
        drawn = plots.draw(name, found["figures"])
        text = replaced(text, name, section(name, found, drawn))
        say(f"{name}: written, with {len(drawn)} plots")
    PAGE.write_text(text, encoding="utf-8")


def replaced(text: str, name: str, content: str) -> str:
    """The page with other content between the markers. Raises MarkersMissing."""
    first, last = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    pattern = re.compile(f"{re.escape(first)}\n.*?{re.escape(last)}", re.DOTALL)
    if not pattern.search(text):
        raise MarkersMissing(
            f"the page needs two lines of its own where the figures of {name} belong, "
            f"in this order: {first} and {last}"
        )
    # A function: no part of the content is a reference to a group.
    return pattern.sub(lambda _: f"{first}\n\n{content}\n\n{last}", text, count=1)


def section(name: str, found: dict[str, Any], drawn: list[Path]) -> str:
    images = [f"![{path.stem}](plots/{path.name})" for path in drawn]
    parts = ["\n".join(SECTIONS[name](found["figures"])), *images, source(found)]
    return "\n\n".join(parts)


def source(found: dict[str, Any]) -> str:
    """Where the figures come from, in words."""
    machine, load, servers = found["machine"], found["load_average"], found["servers"]
    # Without what was not asked for.
    given = {name: value for name, value in found["parameters"].items() if value}
    parameters = ", ".join(f"{name}: {value}" for name, value in given.items())
    commit = found["commit"]["id"][:10] + (", with changes" if found["commit"]["dirty"] else "")
    names = {"postgresql": "PostgreSQL", "redis": "Redis", "qdrant": "Qdrant"}
    versions = [f"{names.get(name, name)} {version}" for name, version in servers.items()]
    versions += [f"{name} {version}" for name, version in found["packages"].items()]
    text = (
        f"From `{found['command']}` ({parameters}) at {found['began']}, commit {commit}; "
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_mb'] / 1024:.0f} GB, "
        f"{machine['kernel']}; load average {load['begin']} before and {load['end']} after; "
        f"{', '.join(versions)}."
    )
    return textwrap.fill(text, LONGEST_ROW, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    main()
