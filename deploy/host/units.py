"""How the units of systemd ended: told to the journal, to metrics, and to the administrator."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from host import journald, output
from host.errors import HostError

STATE = Path("/var/lib/mindgraph")
LOG = Path("/var/log/mindgraph/failures.log")
HOOK = Path("/etc/mindgraph/on-failure")
# By it `journalctl MESSAGE_ID=...` finds every failure.
MESSAGE_ID = "6f1d1c3a5b0e4f0b9a7de0c2f1a84d37"
HOOK_TIMEOUT_S = 120
# A unit that tries again every half minute must not fill a mailbox.
HOOK_PAUSE_S = 3600
LAST_LINES = 15


@dataclass(frozen=True)
class Ending:
    """`result` is systemd's word for it, as `exit-code` or `timeout`."""

    unit: str
    result: str
    status: str
    lines: str

    @classmethod
    def of(cls, unit: str) -> Ending:
        """Of a unit that failed. systemd before version 251 doesn't say how."""
        found = os.environ.get
        result, status = found("MONITOR_SERVICE_RESULT", ""), found("MONITOR_EXIT_STATUS", "")
        return cls(unit, result or "failed", status, _last_lines(unit))

    @property
    def text(self) -> str:
        status = f", status {self.status}" if self.status else ""
        reason = f": {self.lines.splitlines()[-1]}" if self.lines else ""
        return f"{self.unit} failed ({self.result}{status}){reason}"


def succeeded(unit: str) -> None:
    _write_metrics(unit, failed=False)


def failed(ending: Ending) -> None:
    """Everything is tried, whatever of it fails."""
    told = journald.write(
        ending.text,
        journald.ERROR,
        MESSAGE_ID=MESSAGE_ID,
        MINDGRAPH_UNIT=ending.unit,
        MINDGRAPH_RESULT=ending.result,
        MINDGRAPH_EXIT_STATUS=ending.status,
        MINDGRAPH_LAST_LINES=ending.lines,
    )
    if not told:
        output.complain(ending.text)
    problems = []
    for part in (_log, _count, _call_hook):
        try:
            part(ending)
        except (OSError, subprocess.SubprocessError) as error:
            problems.append(f"{part.__name__.lstrip('_')}: {error}")
    if problems:
        raise HostError("; ".join(problems))


def _last_lines(unit: str) -> str:
    command = ["journalctl", "--quiet", "--output", "cat", "--lines", str(LAST_LINES)]
    # What the unit's program said, and not systemd about it; in this run, and not in one before.
    match = [f"_SYSTEMD_UNIT={unit}"]
    run = _said("systemctl", "show", "--property", "InvocationID", "--value", unit)
    if run:
        match.append(f"_SYSTEMD_INVOCATION_ID={run}")
    return _said(*command, *match)


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip()


def _log(ending: Ending) -> None:
    entry = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "unit": ending.unit,
        "result": ending.result,
        "status": ending.status,
        "lines": ending.lines,
    }
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _count(ending: Ending) -> None:
    _write_metrics(ending.unit, failed=True)


def _call_hook(ending: Ending) -> None:
    if not os.access(HOOK, os.X_OK):
        return
    mark = STATE / f"hook-called-for-{ending.unit}"
    if mark.exists() and time.time() - mark.stat().st_mtime < HOOK_PAUSE_S:
        output.say(f"{HOOK} was called for {ending.unit} less than an hour ago")
        return
    subprocess.run(
        [str(HOOK), ending.unit],
        check=True,
        input=f"{ending.text}\n\n{ending.lines}\n".encode(),
        timeout=HOOK_TIMEOUT_S,
        env={**os.environ, "MINDGRAPH_UNIT": ending.unit, "MINDGRAPH_RESULT": ending.result},
    )
    mark.touch()


def _write_metrics(unit: str, failed: bool) -> None:
    """For node_exporter's textfile collector, in one step."""
    folder = STATE / "metrics"
    folder.mkdir(mode=0o755, exist_ok=True)
    label = f'{{unit="{unit}"}}'
    file = folder / f"{unit}.prom"
    new = file.with_suffix(".new")
    new.write_text(
        "# HELP mindgraph_unit_failed Whether the unit's last run failed.\n"
        "# TYPE mindgraph_unit_failed gauge\n"
        f"mindgraph_unit_failed{label} {int(failed)}\n"
        "# HELP mindgraph_unit_ended_seconds When that was, as seconds since 1970.\n"
        "# TYPE mindgraph_unit_ended_seconds gauge\n"
        f"mindgraph_unit_ended_seconds{label} {int(time.time())}\n",
        encoding="utf-8",
    )
    new.chmod(0o644)
    new.replace(file)
