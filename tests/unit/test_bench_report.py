"""How the figures of benchmarks get into the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import plots, report, tables
from benchmarks.load.report import MarkersMissing

PAGE = "before\n\n<!-- bench:limits -->\nold\n<!-- /bench:limits -->\n\nafter\n"


def figure(per_second: float, **changes: Any) -> dict[str, Any]:
    return {
        "per_second": per_second,
        "cpu_ms": 2.0,
        "p50_ms": 4.0,
        "p95_ms": 8.0,
        "p99_ms": 16.0,
        "generator_cores": 0.1,
        "database_cores": 0.5,
        "memory_mb": 100.0,
        "database_memory_mb": 50.0,
        "failed": {},
    } | changes


def limits() -> dict[str, Any]:
    of_requests = {
        "median": figure(250, failed={"503": 2}),
        "rounds": [figure(200), figure(250), figure(300)],
        "beside": "the limit",
    }
    return {
        "the limit": {"median": figure(1000), "rounds": [figure(1000)], "beside": ""},
        "read": of_requests,
    }


def engines() -> list[dict[str, Any]]:
    def row(clients: int, slow: float, fast: float) -> dict[str, Any]:
        found = {"sqlite": slow, "postgresql": fast}
        return {
            "mix": "mixed",
            "workers": 2,
            "clients": clients,
            "engines": {
                name: {"median": figure(value), "rounds": [figure(value)]}
                for name, value in found.items()
            },
            "reports": {},
        }

    return [row(1, 100, 50), row(8, 100, 200)]


def result(figures: Any) -> dict[str, Any]:
    return {
        "command": "python -m benchmarks.load.limits",
        "began": "2026-01-31T12:00:00+00:00",
        "commit": {"id": "0123456789abcdef", "dirty": True},
        "machine": {"cpu": "Abacus", "cores": 2, "memory_mb": 4096, "kernel": "Linux 6"},
        "load_average": {"begin": 0.1, "end": 2.5},
        "packages": {"fastapi": "1"},
        "servers": {"postgresql": "17.1"},
        "parameters": {"seconds": 4, "rounds": 3, "full": False},
        "figures": figures,
    }


def test_a_table_has_shares_of_the_limit_and_the_spread_of_the_rounds() -> None:
    assert list(tables.limits(limits()))[2:] == [
        "| the limit | 1,000 | 1,000 to 1,000 | 2.00 | 0.50 | 4.0 | 8.0 | 16.0 |  |  |",
        "| read | 250 | 200 to 300 | 2.00 | 2.00 | 4.0 | 8.0 | 16.0 | the limit | 0.25 |",
        "",
        "The generator took 0.10 of a core at the most. Failed: 503: 2.",
    ]


def test_a_table_of_engines_has_their_ratio() -> None:
    rows = list(tables.engines(engines()))
    assert rows[2] == (
        "| mixed | 2 | 1 | 100 | 4 | 8 | 16 | none | 50 | 4 | 8 | 16 | none | 0.50 |"
    )
    # With the most clients, what the service and its database use.
    assert "| mixed | 2 | 7.0 | 150 | 4.5 | 150 |" in rows


def test_figures_stand_between_the_markers_and_nothing_else_changes() -> None:
    content = report.section("limits", result(limits()), [Path("docs/plots/limits.svg")])
    page = report.replaced(PAGE, "limits", content)
    assert page.startswith("before\n\n<!-- bench:limits -->\n\n| request |")
    assert page.endswith("\n\n<!-- /bench:limits -->\n\nafter\n")
    assert "![limits](plots/limits.svg)" in page
    assert "old" not in page
    assert report.replaced(page, "limits", content) == page


def test_figures_say_where_they_come_from() -> None:
    said = report.source(result(limits())).replace("\n", " ")
    assert said.startswith("From `python -m benchmarks.load.limits` (seconds: 4, rounds: 3) at")
    assert "commit 0123456789, with changes; 2 cores of Abacus, 4 GB, Linux 6" in said
    assert said.endswith("load average 0.1 before and 2.5 after; PostgreSQL 17.1, fastapi 1.")


@pytest.mark.parametrize(
    "page",
    ["", "<!-- bench:limits -->\n", "<!-- /bench:limits -->\n<!-- bench:limits -->\n"],
)
def test_a_page_without_markers_is_told_so(page: str) -> None:
    with pytest.raises(MarkersMissing, match="bench:limits"):
        report.replaced(page, "limits", "new")


def test_the_page_has_a_place_for_each_benchmark() -> None:
    text = report.PAGE.read_text(encoding="utf-8")
    for name in report.SECTIONS:
        assert f"{name} is here" in report.replaced(text, name, f"{name} is here")


def test_plots_are_files_with_a_line_for_each_engine(tmp_path: Path) -> None:
    drawn = plots.draw("engines", engines(), tmp_path)
    assert [path.name for path in drawn] == ["engines-mixed.svg", "engines-mixed-p99.svg"]
    assert drawn[0].read_text(encoding="utf-8").count("<polyline") == 2
    assert plots.draw("limits", limits(), tmp_path) == []
