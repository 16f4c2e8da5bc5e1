"""Markdown tables of the figures that benchmarks leave in their files."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
WAYS = {
    "direct": "direct",
    "session": "PgBouncer, session",
    "transaction": "PgBouncer, transaction",
}
# Of the benchmark of growth.
REQUESTS = (
    "list 20 diagrams",
    "read a diagram",
    "search one's diagrams",
    "create a diagram",
    "statistics of usage",
)


def limits(found: dict[str, Any]) -> Iterator[str]:
    head = ["request", "a second", "spread", "processor time, ms", "of the database, ms"]
    head += ["p50, ms", "p95, ms", "p99, ms", "beside", "share of it"]
    yield from markdown(head, _limit_rows(found))
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
            f"{_database_ms(middle):.2f}",
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
        cells += [
            f"{one['cpu_ms'] + _database_ms(one):.1f}",
            f"{one['memory_mb'] + one['database_memory_mb']:.0f}",
        ]
    return cells


def _report_row(row: dict[str, Any]) -> list[str]:
    middles = [statistics.median(one["p50_ms"] for one in row["reports"][name]) for name in ENGINES]
    return [f"{row['workers']} workers", str(row["clients"]), *(f"{one:.0f}" for one in middles)]


def overload(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    head = ["clients", "good answers a second", "of the most", "failed"]
    head += ["good ones, p50, ms", "p99, ms", "fast again after, s"]
    yield from markdown(head, map(_overload_row, found))


def _overload_row(row: dict[str, Any]) -> list[str]:
    watched, recovered = row["watched"], row["recovered_s"]
    waits = [f"{watched[key]:,.0f}" for key in ("p50_ms", "p99_ms")]
    return [
        str(row["clients"]),
        number(row["per_second"]),
        f"{row['share_of_peak']:.2f}",
        _failures([row]),
        *(waits if watched["answered"] else ["none", "none"]),
        "never" if recovered is None else f"{recovered:.1f}",
    ]


def pooling(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    head = ["way", "connections", "refused", "to connect, p50, ms", "queries a second", "p50, ms"]
    yield from markdown([*head, "p99, ms", "memory of PostgreSQL, MB"], map(_pooling_row, found))


def _pooling_row(row: dict[str, Any]) -> list[str]:
    return [
        WAYS[row["way"]],
        str(row["connections"]),
        str(row["refused"]),
        f"{row['connect_ms']:.1f}",
        number(row["per_second"]),
        *(f"{row[key]:.2f}" for key in ("p50_ms", "p99_ms")),
        f"{row['memory_mb']:.0f}",
    ]


def growth(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """With the ratios to the smallest table."""
    head = ["request"]
    for row in found:
        head += [f"{row['diagrams']:,} diagrams of others: p50, ms", "p95, ms", "p50, ratio"]
    yield from markdown(head, (_growth_row(found, name) for name in REQUESTS))
    yield ""
    asked = (one for row in found for one in row["requests"].values())
    yield f"Failed: {_failures(asked)}."


def _growth_row(found: Sequence[dict[str, Any]], name: str) -> list[str]:
    cells = [name]
    least = found[0]["requests"][name]["p50_ms"]
    for row in found:
        one = row["requests"][name]
        cells += [f"{one['p50_ms']:.1f}", f"{one['p95_ms']:.1f}"]
        cells.append(f"{one['p50_ms'] / max(least, 1e-9):.2f}")
    return cells


def soak(found: dict[str, Any]) -> Iterator[str]:
    names = {"memory_mb": "memory of all workers, MB", "connections": "connections of PostgreSQL"}
    names |= {"p99_ms": "p99, ms", "per_second": "requests a second"}
    first, last = found["quarters"]["first"], found["quarters"]["last"]
    rows = (
        [label, number(first[key]), number(last[key]), f"{last[key] / max(first[key], 1e-9):.2f}"]
        for key, label in names.items()
    )
    yield from markdown(["median", "first quarter", "last quarter", "ratio"], rows)
    yield ""
    samples = found["samples"]
    yield (
        f"For {samples[-1]['minute']:.0f} minutes, {found['rate']:.0f} requests a second of "
        f"{found['capacity']:.0f} that it could. Failed: {_failures(samples)}."
    )


def _database_ms(figure: dict[str, Any]) -> float:
    """Processor time of the database a request."""
    return float(figure["database_cores"] * 1e3 / max(figure["per_second"], 0.01))


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
