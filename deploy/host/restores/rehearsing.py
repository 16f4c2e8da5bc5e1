"""A restore of the newest backup that nobody uses: it shows that the backup is worth something."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

from host.backups import checking, choosing, metrics
from host.backups.repository import Repository
from host.errors import HostError
from host.locking import Journal
from host.restores import filling
from host.restores.generations import Generation
from host.toolbox import FILES, PLACES, READING, Mount, Tool, Toolbox

# What the journal says while its volumes are there.
UNFINISHED = "rehearsal"
# Uploaded files are named after what is in them; an empty one of such a name is a mark.
HASHES = (
    "find . -type f -size +0 -regextype posix-extended -regex '.*/[0-9a-f]{64}' -print0 "
    '| xargs -0 -r sha256sum | awk \'{ name = $2; sub(/.*\\//, "", name); count++; '
    "if ($1 != name) print name } END { print count + 0 }'"
)


@dataclass
class Report:
    """`reason` is empty when all was as it should be."""

    backup: str = ""
    began: str = ""
    seconds: float = 0.0
    tables: int = 0
    rows: int = 0
    files: int = 0
    reason: str = ""
    checked: list[str] = field(default_factory=list)


def clean(toolbox: Toolbox, journal: Journal) -> None:
    """Removes what a killed rehearsal left."""
    left = journal.read().get(UNFINISHED)
    if left:
        _generation(toolbox, left).remove()


def rehearse(toolbox: Toolbox, journal: Journal) -> Report:
    """Restores into volumes of another project, compares, and removes them. Its failures are in
    the report and in the metrics."""
    report = Report(began=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
    started = time.monotonic()
    generation = _generation(toolbox, datetime.now(timezone.utc).strftime("-%Y%m%dT%H%M%SZ"))
    journal.note(**{UNFINISHED: generation.name})
    try:
        _compare(toolbox, generation, report)
    except HostError as error:
        report.reason = str(error)
    finally:
        toolbox.remove_leftovers()
        generation.remove()
        journal.clear()
    report.seconds = round(time.monotonic() - started, 1)
    _tell(toolbox, report)
    return report


def _compare(toolbox: Toolbox, generation: Generation, report: Report) -> None:
    repository = Repository(toolbox)
    chosen = choosing.find(repository.manifests(), None)
    report.backup = chosen.id
    checking.check(toolbox, repository, chosen)
    report.checked.append("every file of the backup has its checksum")
    tables = filling.fill(toolbox, repository, choosing.to_backup(chosen), generation, beside=False)
    report.tables = len(tables)
    report.rows = sum(one.rows for one in tables.values())
    report.checked.append("rows and checksum of every table are those of the backup's moment")
    report.checked.append("Redis reads its dump")
    report.files = _hash_files(toolbox, generation)
    report.checked.append("every uploaded file has the content that it is named after")


def _hash_files(toolbox: Toolbox, generation: Generation) -> int:
    mounts = [Mount(generation.volume(FILES), PLACES[FILES])]
    command = ["bash", "-c", f"set -o pipefail; cd {PLACES[FILES]} && {HASHES}"]
    *wrong, count = toolbox.run(Tool("postgres", command, mounts, READING)).split()
    if wrong:
        raise filling.Wrong(f"{len(wrong)} uploaded files have other content, as {wrong[0]}")
    return int(count)


def _tell(toolbox: Toolbox, report: Report) -> None:
    values = {
        "success": 0 if report.reason else 1,
        "time_seconds": round(time.time()),
        "duration_seconds": report.seconds,
        "rows": report.rows,
        "files": report.files,
    }
    metrics.write(toolbox, "rehearsal", values)


def _generation(toolbox: Toolbox, name: str) -> Generation:
    return Generation(f"{toolbox.project}-rehearsal", name)
