"""Line charts as SVG, for readers in dark and in light: they have a background of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

WIDTH, HEIGHT = 760, 400
# Where the lines are; the legend has the right of it.
LEFT, RIGHT, TOP, BOTTOM = 80, 540, 50, 340
# Told apart by people who see few colours as well; the dashes are for paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("", "7 3", "2 3", "9 3 2 3")
TICKS = 5

Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Chart:
    """Points of each line by its name, with x ascending. With `log_x` each x is greater than 0 and
    has a tick of its own."""

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Sequence[Point]]
    log_x: bool = False


def svg(chart: Chart) -> str:
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}")
    root.set("font-family", "sans-serif")
    root.set("font-size", "13")
    SubElement(root, "title").text = chart.title
    SubElement(root, "rect", width=str(WIDTH), height=str(HEIGHT), fill="white")
    _text(root, (LEFT, 26), chart.title, size=16)
    xs = sorted({x for points in chart.lines.values() for x, _ in points})
    ys = [y for points in chart.lines.values() for _, y in points]
    x_ticks = xs if chart.log_x else ticks(max(xs, default=1))
    y_ticks = ticks(max(ys, default=1))
    across = _scale(x_ticks, LEFT, RIGHT, math.log if chart.log_x else float)
    up = _scale(y_ticks, BOTTOM, TOP, float)
    _draw_axes(root, chart, [(across(x), x) for x in x_ticks], [(up(y), y) for y in y_ticks])
    for number, (name, points) in enumerate(chart.lines.items()):
        _draw_line(root, number, name, [(across(x), up(y)) for x, y in points])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def ticks(largest: float) -> list[float]:
    """Round numbers from 0 to the first that isn't below `largest`."""
    rough = max(largest, 1e-9) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(number * step, 10) for number in range(math.ceil(largest / step) + 1)] or [0, 1]


def _scale(
    ends: Sequence[float], first: float, last: float, measure: Callable[[float], float]
) -> Scale:
    low, high = (measure(ends[0]), measure(ends[-1])) if ends else (0.0, 1.0)
    width = (high - low) or 1.0
    return lambda value: first + (measure(value) - low) / width * (last - first)


def _draw_axes(
    root: Element, chart: Chart, x_ticks: Iterable[Point], y_ticks: Iterable[Point]
) -> None:
    for y, value in y_ticks:
        _line(root, (LEFT, y), (RIGHT, y), "#dddddd")
        _text(root, (LEFT - 8, y + 4), f"{value:,g}", anchor="end")
    for x, value in x_ticks:
        _line(root, (x, BOTTOM), (x, BOTTOM + 5), "#333333")
        _text(root, (x, BOTTOM + 20), f"{value:,.10g}", anchor="middle")
    _line(root, (LEFT, BOTTOM), (RIGHT, BOTTOM), "#333333")
    _text(root, ((LEFT + RIGHT) / 2, BOTTOM + 44), chart.x_label, anchor="middle")
    label = _text(root, (18, (TOP + BOTTOM) / 2), chart.y_label, anchor="middle")
    label.set("transform", f"rotate(-90 18 {(TOP + BOTTOM) / 2:.1f})")


def _draw_line(root: Element, number: int, name: str, points: Sequence[Point]) -> None:
    colour = COLOURS[number % len(COLOURS)]
    look = {"fill": "none", "stroke": colour, "stroke-width": "2"}
    if dash := DASHES[number % len(DASHES)]:
        look["stroke-dasharray"] = dash
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    SubElement(root, "polyline", look | {"points": corners})
    for x, y in points:
        SubElement(root, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", fill=colour)
    at = TOP + 10 + number * 22
    SubElement(root, "path", look | {"d": f"M {RIGHT + 16} {at} H {RIGHT + 44}"})
    _text(root, (RIGHT + 52, at + 4), name, size=12)


def _line(root: Element, start: Point, end: Point, colour: str) -> None:
    (x1, y1), (x2, y2) = start, end
    places = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    SubElement(root, "line", places | {"stroke": colour})


def _text(root: Element, at: Point, text: str, *, anchor: str = "start", size: int = 13) -> Element:
    made = SubElement(root, "text", x=f"{at[0]:.1f}", y=f"{at[1]:.1f}", fill="#222222")
    made.set("text-anchor", anchor)
    made.set("font-size", str(size))
    made.text = text
    return made
