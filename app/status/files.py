"""What the disk tells."""

import os
from pathlib import Path

from pydantic import ValidationError

from app.status.errors import BackupReportUnusable
from app.status.schemas import Backup, Disk

# A report is some hundred bytes.
LONGEST_REPORT = 64 * 1024


def disk(folder: Path) -> Disk:
    """Of the folder, or of the one that it will be made in."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    found = os.statvfs(there)
    return Disk(free=found.f_bavail * found.f_frsize, size=found.f_blocks * found.f_frsize)


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
