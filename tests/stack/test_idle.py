"""What the whole stack costs while nobody uses it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from .stacks import SERVICES, Stack

WATCHED_S = 60.0
# The aim is 3 % of one core. This bound catches a loop that is busy, not a machine that is.
BOUND_PERCENT = 25.0
TICKS = os.sysconf("SC_CLK_TCK")
# How much the engine itself used, for all containers of the machine, ours and others.
ENGINE = ("dockerd", "containerd")


@pytest.fixture(scope="module")
def stack(unharmed_stack: Stack) -> Stack:
    return unharmed_stack


def used_s(container: Container) -> float:
    """CPU seconds of all processes of the container since it started, health checks included."""
    stats: Any = container.stats(stream=False, one_shot=True)
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def shim_s(container: Container) -> float:
    """CPU seconds of the process that starts the container's health checks, and of its children."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in words[0] and (container.id or "").encode() in words:
                return process_s(folder)
        except OSError:
            continue
    return 0.0


def process_s(folder: Path) -> float:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def engine_s() -> float:
    found = [p for p in Path("/proc").glob("[0-9]*/comm") if name_of(p) in ENGINE]
    return sum(process_s(comm.parent) for comm in found)


def name_of(comm: Path) -> str:
    try:
        return comm.read_text().strip()
    except OSError:
        return ""


def used(stack: Stack) -> dict[str, tuple[float, float]]:
    found = {service: stack.container(service) for service in SERVICES}
    return {name: (used_s(one), shim_s(one)) for name, one in found.items()}


def percent_of(before: tuple[float, float], after: tuple[float, float], took: float) -> list[float]:
    return [(now - then) / took * 100 for then, now in zip(before, after, strict=True)]


def test_an_idle_stack_costs_almost_nothing(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    # The last words of the start.
    time.sleep(5)
    before, engine, began = used(stack), engine_s(), time.monotonic()
    time.sleep(WATCHED_S)
    took = time.monotonic() - began
    engine_percent = (engine_s() - engine) / took * 100
    percent = {name: percent_of(before[name], one, took) for name, one in used(stack).items()}
    inside, shims = (sum(one[index] for one in percent.values()) for index in (0, 1))
    lines = [
        f"\nidle CPU over {took:.0f} s in % of one core: inside of the containers, and",
        "for starting their health checks",
        *(f"{name:<10}{one:>8.2f}{shim:>8.2f}" for name, (one, shim) in percent.items()),
        f"{'sum':<10}{inside:>8.2f}{shims:>8.2f}   together {inside + shims:.2f}, aim: under 3",
        f"the engine, for all that runs on this machine: {engine_percent:.2f}\n",
    ]
    # Standard error, because what a worker of xdist writes there is seen.
    with capfd.disabled():
        sys.stderr.write("\n".join(lines))
    assert inside + shims < BOUND_PERCENT
