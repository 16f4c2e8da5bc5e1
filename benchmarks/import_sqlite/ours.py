"""`mindgraph import-sqlite`, called as people call it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.import_sqlite import measure
from benchmarks.import_sqlite.measure import Taken
from benchmarks.import_sqlite.source import ROWS

COMMAND = Path(sys.executable).with_name("mindgraph")
# The phase that is comparable with the floor.
COPY = "loading"


def load(url: str, file: Path, folder: Path) -> Taken:
    # Without the settings of whoever runs the benchmark.
    environ = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    called = [str(COMMAND), "import-sqlite", str(file), "--to", url, "--no-init"]
    return measure.run(
        [*called, "--report", str(folder / "report.json")], folder / "ours.log", environ
    )


def phases(report: dict[str, Any]) -> dict[str, float]:
    """Seconds of each phase."""
    return dict(report["seconds"])


def doubts(report: dict[str, Any]) -> Iterator[str]:
    """What its own report tells against it; without a proof it would look faster than it is."""
    if report["verdict"] != "identical":
        yield f"verdict: {report['verdict']}"
    proved = len(report["proof"]["tables"]) if report["proof"] else 0
    if proved < len(ROWS):
        yield f"only {proved} of {len(ROWS)} tables were proved"


def report_of(folder: Path) -> dict[str, Any]:
    """The report of the last run."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found
