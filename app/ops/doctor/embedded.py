"""The file of an embedded database, all of it, and its disk."""

import sqlite3
from pathlib import Path

from app.db import engine
from app.db.sqlite import checkpoints, files, integrity
from app.ops.doctor import findings
from app.ops.doctor.findings import Finding
from app.settings import Settings

PATIENCE_S = 10.0
# It is emptied when it is a quarter of this; one that grows on is kept from it by a reader.
JOURNAL_LIMIT_MB = 4 * checkpoints.TRUNCATE_ABOVE_MB


def examine(settings: Settings) -> list[Finding]:
    file = engine.file(settings)
    if file is None:
        return []
    return [_integrity(file), _journal(file), _disk(file, settings.disk_reserve_mb)]


def _integrity(file: Path) -> Finding:
    try:
        with files.connected(file, "ro", patience_s=PATIENCE_S) as connection:
            found = integrity.look(connection, "integrity_check")
    except sqlite3.Error as error:
        return findings.failure("integrity", f"can't be checked: {error}", "restore a backup")
    wrong = [*found.damage, *found.indexes]
    if wrong:
        fix = "restore a backup" if found.damage else "stop all and run `mindgraph init-db`"
        return findings.failure("integrity", f"{len(wrong)} problems, first: {wrong[0]}", fix)
    seen = f"{files.size(file) / files.MB:.1f} MB without damage"
    if found.orphans or found.rows:
        seen += f"; {found.orphans} rows refer to missing ones, {len(found.rows)} break a rule"
    return findings.ok("integrity", seen)


def _journal(file: Path) -> Finding:
    size_mb = files.size(files.journal(file)) / files.MB
    last = checkpoints.last(file)
    when = f"{last:%Y-%m-%d %H:%M:%S} UTC" if last else "none yet"
    maker = "" if checkpoints.are_made(file) else "; no process makes checkpoints now"
    seen = f"{size_mb:.1f} MB, last checkpoint: {when}{maker}"
    if size_mb <= JOURNAL_LIMIT_MB:
        return findings.ok("journal", seen)
    return findings.failure("journal", seen, "end what reads the file for long, or restart the app")


def _disk(file: Path, reserve_mb: int) -> Finding:
    free_mb = files.free_mb(file.parent)
    seen = f"{free_mb} MB free at {file.parent}, {reserve_mb} are kept in reserve"
    if free_mb >= reserve_mb:
        return findings.ok("disk", seen)
    return findings.failure("disk", seen, "free some space, or set DISK_RESERVE_MB lower")
