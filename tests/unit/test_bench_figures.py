"""What benchmarks make of the loads that they have measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import floors, measuring, plots, report, results, soak, tables
from benchmarks.load.generator import Load, Request
from benchmarks.load.measuring import Figure
from benchmarks.load.results import Recording
from benchmarks.load.watching import Watched

OVERLOAD = [
    {
        "clients": clients,
        "per_second": 100.0,
        "share_of_peak": 1.0,
        "failed": {"503": 7},
        "watched": {"answered": answered, "p50_ms": 5.0, "p99_ms": 9.0},
        "recovered_s": recovered,
    }
    for clients, answered, recovered in ((4, 10, 0.5), (1024, 0, None))
]
POOLING = [
    {
        "way": way,
        "connections": connections,
        "refused": 0,
        "connect_ms": 3.0,
        "per_second": 1000.0,
        "p50_ms": 0.5,
        "p99_ms": 2.0,
        "memory_mb": 80.0,
    }
    for connections in (10, 100)
    for way in tables.WAYS
]
GROWTH = [
    {
        "diagrams": size,
        "requests": {
            name: {"p50_ms": middle, "p95_ms": 9.0, "failed": {}} for name in tables.REQUESTS
        },
    }
    for size, middle in ((1_000, 4.0), (1_000_000, 5.0))
]
SAMPLES = [
    {
        "minute": float(minute),
        "per_second": 50.0,
        "p50_ms": 5.0,
        "p99_ms": 10.0 * minute,
        "failed": {},
        "memory_mb": {"worker 1": 100.0 + minute, "worker 2": 100.0},
        "connections": 20,
    }
    for minute in range(1, 9)
]
SOAK: dict[str, Any] = {
    "capacity": 100.0,
    "rate": 50.0,
    "samples": SAMPLES,
    "quarters": soak.quarters(SAMPLES),
}


@pytest.mark.parametrize(
    ("name", "table", "figures", "row", "polylines"),
    [
        ("overload", tables.overload, OVERLOAD, "| 1024 | 100 | 1.00 | 503: 7 | none |", 3),
        ("pooling", tables.pooling, POOLING, "| PgBouncer, session | 100 | 0 | 3.0 |", 6),
        ("growth", tables.growth, GROWTH, "| read a diagram | 4.0 | 9.0 | 1.00 | 5.0 |", 5),
        ("soak", tables.soak, SOAK, "| p99, ms | 15 | 75 | 5.00 |", 3),
    ],
)
def test_every_benchmark_has_a_table_and_plots(
    tmp_path: Path,
    name: str,
    table: Callable[[Any], Iterator[str]],
    figures: Any,
    row: str,
    polylines: int,
) -> None:
    assert report.SECTIONS[name] == table
    assert any(line.startswith(row) for line in table(figures)), list(table(figures))
    drawn = [path.read_text(encoding="utf-8") for path in plots.draw(name, figures, tmp_path)]
    assert sum(one.count("<polyline") for one in drawn) == polylines


def test_the_quarters_of_a_long_load_are_medians() -> None:
    assert SOAK["quarters"]["first"]["memory_mb"] == 201.5
    assert SOAK["quarters"]["last"]["memory_mb"] == 207.5


def test_percentiles_are_of_what_was_measured() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [floors.percentile(ordered, share) for share in (0, 0.5, 0.99, 1)] == [1, 51, 100, 100]
    assert floors.percentile([], 0.5) == 0


def test_a_median_adds_up_what_failed() -> None:
    rounds = [Figure(rate, 1, 1, 1, 1, 0.1, failed={"503": 2}) for rate in (10, 30, 20)]
    middle = measuring.median(rounds)
    assert (middle.per_second, middle.failed, middle.failures) == (20, {"503": 6}, 6)
    assert [one["per_second"] for one in measuring.kept(rounds)["rounds"]] == [10, 30, 20]


def test_what_failed_of_a_load_has_its_kinds() -> None:
    load = Load(
        clients=4,
        requests=12,
        seconds=2,
        statuses={"200": 8, "429": 4},
        unanswered={"refused": 0, "broken": 1, "too late": 0},
        p50_ms=1,
        p95_ms=2,
        p99_ms=3,
        longest_ms=4,
        generator_cpu_s=0.1,
    )
    assert load.per_second == 4
    assert load.failed == {"429": 4, "broken": 1}


def test_answers_that_failed_are_no_part_of_the_times() -> None:
    watched = Watched([3.0, 1.0, 2.0], Counter({"503": 5}))
    found = watched.summary()
    assert (found["answered"], found["p50_ms"], found["failed"]) == (3, 2.0, {"503": 5})


def test_a_statement_of_pgbench_keeps_quotes() -> None:
    assert floors._literal("it's") == "'it''s'"
    assert floors._literal({"topic": "it's"}) == """'{"topic": "it''s"}'"""


def test_a_request_is_sent_with_its_length() -> None:
    sent = Request("POST", "/x", (("Cookie", "a=b"),), "é".encode()).sent()
    assert sent.startswith(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: a=b\r\n")
    assert sent.endswith(b"Content-Length: 2\r\n\r\n\xc3\xa9")


def test_figures_are_kept_with_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    recording = Recording("limits", {"seconds": 4})
    recording.servers = {"postgresql": "17.1"}
    recording.keep({"a": 1})
    found = results.read("limits", tmp_path)
    assert found is not None
    assert found["figures"] == {"a": 1}
    assert found["command"].startswith("python -m benchmarks.load.limits")
    assert {"cpu", "cores", "memory_mb", "kernel"} == found["machine"].keys()
    assert {"begin", "end"} == found["load_average"].keys()
    assert report.source(found)
    assert results.read("engines", tmp_path) is None
