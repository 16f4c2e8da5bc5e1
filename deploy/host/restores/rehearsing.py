"""A restore of the newest backup that nobody uses: it shows that the backup is worth something."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

from host.backups import checking, choosing, metrics
from host.backups.repository import Repository
from host.errors import HostError
from host.locking import Journal
from host.restores import filling, uploads, vectors
from host.restores.filling import Filled
from host.restores.generations import VERSION, Generation
from host.toolbox import FILES, Toolbox

# What the journal says while its volumes are there.
UNFINISHED = "rehearsal"


@dataclass
class Report:
    """`reason` is empty when all was as it should be."""

    backup: str = ""
    began: str = ""
    seconds: float = 0.0
    tables: int = 0
    rows: int = 0
    files: int = 0
    vectors: int = 0
    documents: int = 0
    differing: list[str] = field(default_factory=list)
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
    filled = filling.fill(toolbox, repository, choosing.to_backup(chosen), generation, beside=False)
    report.tables = len(filled.tables)
    report.rows = sum(one.rows for one in filled.tables.values())
    report.checked.append("rows and checksum of every table are those of the backup's moment")
    report.checked.append("Redis reads its dump")
    _compare_files(toolbox, generation, filled, report)
    _compare_vectors(filled, report)


def _compare_files(
    toolbox: Toolbox, generation: Generation, filled: Filled, report: Report
) -> None:
    if filled.missing:
        raise filling.Wrong(
            f"{len(filled.missing)} uploaded files that the database names are not in the backup, "
            f"as {filled.missing[0]}"
        )
    report.files = uploads.check(toolbox, generation.volume(FILES))
    report.checked.append("every uploaded file is there, with the content that it is named after")


def _compare_vectors(filled: Filled, report: Report) -> None:
    """A document that changed just after the backup's moment may differ, and a restore mends that;
    without a snapshot it makes the index anew. Neither makes a backup worthless."""
    if filled.vectors.reason:
        report.differing.append(f"there is no search index: {filled.vectors.reason}")
        return
    report.vectors = sum(count for count, _ in filled.vectors.documents.values())
    report.documents, differing = vectors.compare(filled.index, filled.vectors.documents)
    report.differing += differing
    report.checked.append("Qdrant reads its snapshot, and its vectors were compared by document")


def _tell(toolbox: Toolbox, report: Report) -> None:
    values = {
        "success": 0 if report.reason else 1,
        "time_seconds": round(time.time()),
        "duration_seconds": report.seconds,
        "rows": report.rows,
        "files": report.files,
        "vectors": report.vectors,
        "documents_differing": len(report.differing),
    }
    metrics.write(toolbox, "rehearsal", values)


def _generation(toolbox: Toolbox, name: str) -> Generation:
    return Generation(f"{toolbox.project}-rehearsal", name, toolbox.settings.get(VERSION, ""))
