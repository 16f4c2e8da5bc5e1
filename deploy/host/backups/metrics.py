"""What the last backup and the last rehearsal came to, in the text format of Prometheus.

The files are beside the backups, in the folder metrics of the volume.
"""

from __future__ import annotations

import io
from typing import Mapping

from host.toolbox import BACKUPS, PLACES, WRITING, Mount, Tool, Toolbox

FOLDER = f"{PLACES[BACKUPS]}/metrics"
# In one step: whoever reads it must not meet half of it.
SCRIPT = 'mkdir -p "$1" && cat >"$1/.$2" && chmod -R a+rX "$1" && mv "$1/.$2" "$1/$2.prom"'


def write(toolbox: Toolbox, operation: str, values: Mapping[str, float]) -> None:
    """Values by their names, each of which becomes mindgraph_OPERATION_NAME."""
    lines = []
    for name, value in values.items():
        metric = f"mindgraph_{operation}_{name}"
        lines += [f"# TYPE {metric} gauge\n", f"{metric} {value}\n"]
    place = Mount(toolbox.volume(BACKUPS), PLACES[BACKUPS], writable=True)
    command = ["bash", "-c", SCRIPT, "bash", FOLDER, operation]
    toolbox.run(Tool("postgres", command, [place], WRITING), io.BytesIO("".join(lines).encode()))
