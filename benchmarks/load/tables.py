"""Markdown tables of the figures that benchmarks leave in their files."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def limits(found: dict[str, Any]) -> Iterator[str]:
    head = ["request", "a second", "spread", "processor time, ms", "p50, ms", "p95, ms", "p99, ms"]
    yield from markdown([*head, "beside", "share of it"], _limit_rows(found))
    medians = [one["median"] for one in found.values()]
    busiest = max(one["generator_cores"] for one in medians)
    yield ""
    yield f"The generator took {busiest:.2f} of a core at the most. Failed: {_failures(medians)}."


def _limit_rows(found: dict[str, Any]) -> Iterator[list[str]]:
    for name, one in found.items():
        middle = one["median"]
        rates = [figure["per_second"] for figure in one["rounds"]]
        share = ""
        if one["beside"]:
            share = f"{middle['per_second'] / found[one['beside']]['median']['per_second']:.2f}"
        yield [
            name,
            number(middle["per_second"]),
            f"{number(min(rates))} to {number(max(rates))}",
            f"{middle['cpu_ms']:.2f}",
            *(f"{middle[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms")),
            one["beside"],
            share,
        ]


def engines(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    head = ["requests", "workers", "clients"]
    for name in ENGINES.values():
        head += [f"{name}: a second", "p50, ms", "p95, ms", "p99, ms", "failed"]
    yield from markdown([*head, "PostgreSQL / SQLite"], map(_engine_row, found))
    most = max(row["clients"] for row in found)
    head = ["requests, with the most clients", "workers"]
    for name in ENGINES.values():
        head += [f"{name}: processor time a request, ms", "memory, MB"]
    yield ""
    yield from markdown(head, (_use_row(row) for row in found if row["clients"] == most))
    yield ""
    yield from markdown(
        ["the report beside saves", "clients", "SQLite: p50, ms", "PostgreSQL: p50, ms"],
        (_report_row(row) for row in found if row["reports"]),
    )


def _engine_row(row: dict[str, Any]) -> list[str]:
    cells = [row["mix"], str(row["workers"]), str(row["clients"])]
    middles = {name: row["engines"][name]["median"] for name in ENGINES}
    for one in middles.values():
        cells.append(number(one["per_second"]))
        cells += [f"{one[key]:.0f}" for key in ("p50_ms", "p95_ms", "p99_ms")]
        cells.append(_failures([one]))
    slow, fast = (middles[name]["per_second"] for name in ENGINES)
    return [*cells, f"{fast / max(slow, 0.01):.2f}"]


def _use_row(row: dict[str, Any]) -> list[str]:
    """The service and its database together."""
    cells = [row["mix"], str(row["workers"])]
    for name in ENGINES:
        one = row["engines"][name]["median"]
        cpu_ms = one["cpu_ms"] + one["database_cores"] * 1e3 / max(one["per_second"], 0.01)
        cells += [f"{cpu_ms:.1f}", f"{one['memory_mb'] + one['database_memory_mb']:.0f}"]
    return cells


def _report_row(row: dict[str, Any]) -> list[str]:
    middles = [statistics.median(one["p50_ms"] for one in row["reports"][name]) for name in ENGINES]
    return [f"{row['workers']} workers", str(row["clients"]), *(f"{one:.0f}" for one in middles)]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "| --- " * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def number(value: float) -> str:
    """Three digits are enough, with commas."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _failures(figures: Iterable[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for one in figures:
        for why, count in one["failed"].items():
            counts[why] = counts.get(why, 0) + count
    return ", ".join(f"{why}: {count:,}" for why, count in sorted(counts.items())) or "none"
