"""Charts of benchmarks."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.load import charts
from benchmarks.load.charts import Chart

SVG = "{http://www.w3.org/2000/svg}"
LINES = {"slow & old": [(1.0, 10.0), (8.0, 20.0), (64.0, 40.0)], "new <fast>": [(1.0, 40.0)]}


def drawn(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(charts.svg(chart))  # noqa: S314 - made here


def test_each_line_has_its_points_and_its_name() -> None:
    root = drawn(Chart("Rates", "clients", "a second", LINES, log_x=True))
    assert len(root.findall(f"{SVG}polyline")) == len(LINES)
    assert len(root.findall(f"{SVG}circle")) == 4
    texts = {one.text for one in root.findall(f"{SVG}text")}
    assert {"Rates", "clients", "a second", "1", "8", "64", *LINES} <= texts


def test_there_is_a_background_for_readers_in_the_dark() -> None:
    background = drawn(Chart("Rates", "clients", "a second", LINES)).find(f"{SVG}rect")
    assert background is not None
    assert background.get("fill") == "white"


def test_on_a_logarithmic_axis_equal_factors_are_equally_far_apart() -> None:
    root = drawn(Chart("Rates", "clients", "a second", LINES, log_x=True))
    xs = [float(one.get("cx", "")) for one in root.findall(f"{SVG}circle")][:3]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)


@pytest.mark.parametrize("lines", [{}, {"none": []}, {"flat": [(0.0, 0.0), (1.0, 0.0)]}])
def test_little_is_drawn_as_well(lines: dict[str, list[charts.Point]]) -> None:
    assert len(drawn(Chart("Rates", "x", "y", lines)).findall(f"{SVG}polyline")) == len(lines)


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [(1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (7, [0, 2, 4, 6, 8]), (1000, [0, 200, 400, 600, 800, 1000])],
)
def test_ticks_are_round_numbers(largest: float, ticks: list[float]) -> None:
    assert charts.ticks(largest) == ticks
