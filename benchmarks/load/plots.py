"""Draws docs/plots/*.svg from what benchmarks have left in build/bench.

Run it from the checkout: .venv/bin/python -m benchmarks.load.plots
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.load import results
from benchmarks.load.charts import Chart, Point, svg
from benchmarks.load.results import say
from benchmarks.load.tables import ENGINES, REQUESTS, WAYS
from tests.places import CHECKOUT

FOLDER = CHECKOUT / "docs" / "plots"
CLIENTS, PER_SECOND = "clients", "requests a second"
Charts = Iterator[tuple[str, Chart]]


def main() -> None:
    for name in CHARTS:
        found = results.read(name)
        if found is not None:
            for path in draw(name, found["figures"]):
                say(str(path.relative_to(CHECKOUT)))


def draw(name: str, figures: Any, folder: Path = FOLDER) -> list[Path]:
    """The files of the charts of a benchmark, which are written; none where it has no charts."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for stem, chart in CHARTS[name](figures) if name in CHARTS else ():
        path = folder / f"{stem}.svg"
        path.write_text(svg(chart), encoding="utf-8")
        paths.append(path)
    return paths


def engines(rows: Sequence[dict[str, Any]]) -> Charts:
    for mix in dict.fromkeys(row["mix"] for row in rows):
        chosen = [row for row in rows if row["mix"] == mix]
        stem = f"engines-{mix.replace(' ', '-')}"
        title = f"SQLite and PostgreSQL: {mix}"
        lines = _engine_lines(chosen, "per_second")
        yield stem, Chart(title, CLIENTS, PER_SECOND, lines, log_x=True)
        lines = _engine_lines(chosen, "p99_ms")
        yield f"{stem}-p99", Chart(title, CLIENTS, "p99, ms", lines, log_x=True)


def _engine_lines(rows: Sequence[dict[str, Any]], key: str) -> dict[str, list[Point]]:
    lines: dict[str, list[Point]] = {}
    for row in rows:
        for engine, label in ENGINES.items():
            name = f"{label}, workers: {row['workers']}"
            value = row["engines"][engine]["median"][key]
            lines.setdefault(name, []).append((row["clients"], value))
    return lines


def overload(rows: Sequence[dict[str, Any]]) -> Charts:
    done = [(row["clients"], row["per_second"]) for row in rows]
    lines = {"answered well": done}
    yield "overload", Chart("More clients than it can serve", CLIENTS, PER_SECOND, lines, True)
    waits = {
        name: [(row["clients"], row["watched"][key]) for row in rows if row["watched"]["answered"]]
        for name, key in (("p50", "p50_ms"), ("p99", "p99_ms"))
    }
    title = "How long good answers take under overload"
    yield "overload-waits", Chart(title, CLIENTS, "ms", waits, True)


def pooling(rows: Sequence[dict[str, Any]]) -> Charts:
    for stem, key, label in (
        ("pooling", "per_second", "queries a second"),
        ("pooling-memory", "memory_mb", "memory of PostgreSQL, MB"),
    ):
        lines = {
            label: [(row["connections"], row[key]) for row in rows if row["way"] == way]
            for way, label in WAYS.items()
        }
        title = "Connections, of which 16 are busy"
        yield stem, Chart(title, "connections of clients", label, lines, True)


def growth(rows: Sequence[dict[str, Any]]) -> Charts:
    lines = {
        name: [(row["diagrams"], row["requests"][name]["p50_ms"]) for row in rows]
        for name in REQUESTS
    }
    title = "Requests of one person with 5,000 diagrams"
    yield "growth", Chart(title, "diagrams of others", "p50, ms", lines, True)


def soak(found: dict[str, Any]) -> Charts:
    samples = found["samples"]
    for stem, key, label in (
        ("soak-memory", "memory_mb", "memory of a worker, MB"),
        ("soak-p99", "p99_ms", "p99, ms"),
    ):
        lines: dict[str, list[Point]] = {}
        for sample in samples:
            values = sample[key] if isinstance(sample[key], dict) else {"all": sample[key]}
            for name, value in values.items():
                lines.setdefault(name, []).append((sample["minute"], value))
        yield stem, Chart("A steady load of half of what it can", "minutes", label, lines)


CHARTS: dict[str, Callable[[Any], Charts]] = {
    "engines": engines,
    "overload": overload,
    "pooling": pooling,
    "growth": growth,
    "soak": soak,
}

if __name__ == "__main__":
    main()
