"""What the app knows of backups, for its metrics and its status page.

A file in a volume of its own, which the app reads: the backups themselves are not for it.
"""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone
from typing import Any, Dict

from host.backups.manifest import Manifest
from host.toolbox import WRITING, Mount, Tool, Toolbox

VOLUME = "reports"
PLACE = "/var/lib/mindgraph-reports"
FILE = "backup.json"
# In one step: whoever reads it must not meet half of it.
SCRIPT = 'cat >"$1.new" && chmod 0444 "$1.new" && mv "$1.new" "$1"'


def succeeded(toolbox: Toolbox, made: Manifest) -> None:
    now = datetime.now(timezone.utc).isoformat()
    _write(toolbox, {"finished_at": now, "kind": made.database.kind, "ok": True, "size": made.size})


def failed(toolbox: Toolbox) -> None:
    """The one before it is still the last one; where there is none, nothing is known of any."""
    command = ["bash", "-c", 'cat "$1" 2>/dev/null || true', "bash", f"{PLACE}/{FILE}"]
    said = toolbox.run(Tool("postgres", command, [_volume(toolbox)], WRITING))
    if said:
        _write(toolbox, {**json.loads(said), "ok": False})


def write(toolbox: Toolbox, file: str, text: str) -> None:
    command = ["bash", "-c", SCRIPT, "bash", f"{PLACE}/{file}"]
    tool = Tool("postgres", command, [_volume(toolbox)], WRITING)
    toolbox.run(tool, io.BytesIO(text.encode()))


def _write(toolbox: Toolbox, report: Dict[str, Any]) -> None:
    write(toolbox, FILE, json.dumps(report))


def _volume(toolbox: Toolbox) -> Mount:
    return Mount(toolbox.volume(VOLUME), PLACE, writable=True)
