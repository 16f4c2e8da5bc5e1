"""What the last backup and the last rehearsal came to, in the text format of Prometheus.

The app hands them on with its own metrics.
"""

from __future__ import annotations

from typing import Mapping

from host.backups import reports
from host.toolbox import Toolbox


def write(toolbox: Toolbox, operation: str, values: Mapping[str, float]) -> None:
    """Values by their names, each of which becomes mindgraph_OPERATION_NAME."""
    lines = []
    for name, value in values.items():
        metric = f"mindgraph_{operation}_{name}"
        lines += [f"# TYPE {metric} gauge\n", f"{metric} {value}\n"]
    reports.write(toolbox, f"{operation}.prom", "".join(lines))
