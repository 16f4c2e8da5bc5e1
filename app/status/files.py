"""What the disk tells."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import structlog
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from app.status.errors import BackupReportUnusable
from app.status.schemas import Backup, Disk

# A report is some hundred bytes.
LONGEST_REPORT = 64 * 1024

log = structlog.get_logger(__name__)


def disk(folder: Path) -> Disk:
    """Of the folder, or of the one that it will be made in."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    found = shutil.disk_usage(there)
    return Disk(free=found.free, size=found.used + found.free)


def backup(report: Path | None) -> Backup | None:
    """The last backup by its report; None when there is none.

    Raises:
        BackupReportUnusable.
    """
    if report is None:
        return None
    try:
        with report.open("rb") as file:
            return Backup.model_validate_json(file.read(LONGEST_REPORT))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackupReportUnusable(f"{report} can't be read: {error.strerror}") from error
    except ValidationError as error:
        raise BackupReportUnusable(f"{report} is no report of a backup") from error


def told(report: Path | None) -> Iterator[Metric]:
    """What others say about themselves in files *.prom beside the report; one that can't be read is
    left out."""
    for file in sorted(report.parent.glob("*.prom")) if report else []:
        try:
            with file.open(encoding="utf-8") as text:
                yield from list(text_string_to_metric_families(text.read(LONGEST_REPORT)))
        except (OSError, ValueError) as error:
            log.warning("metrics that can't be read", file=str(file), reason=repr(error))
