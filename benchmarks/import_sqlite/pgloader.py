"""pgloader, with the settings at which it is fastest and still loads everything."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.import_sqlite import measure
from benchmarks.import_sqlite.measure import Taken

INSTALL = "pgloader is not installed, so it takes no part; try: apt-get install pgloader"
# With more rows in a batch, or more batches ahead, its memory ends at the big rows.
COMMAND = """
LOAD DATABASE
    FROM sqlite://{file}
    INTO {url}
WITH data only, create no tables, include no drop, drop indexes, reset sequences,
    workers = 2, concurrency = 1, batch rows = 5000, batch size = 5MB, prefetch rows = 5000
SET timezone TO 'UTC'
EXCLUDING TABLE NAMES LIKE 'document_chunks_fts5%';
"""
MEMORY_MB = "4096"


def version() -> str | None:
    if shutil.which("pgloader") is None:
        return None
    said = subprocess.run(
        ["pgloader", "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r'pgloader version "([^"]+)"', said)
    return found[1] if found else "of unknown version"


def load(url: str, file: Path, folder: Path) -> Taken:
    command = folder / "import.load"
    command.write_text(COMMAND.format(file=file, url=url), encoding="utf-8")
    called = ["pgloader", "--dynamic-space-size", MEMORY_MB, "--root-dir", str(folder)]
    return measure.run([*called, str(command)], folder / "pgloader.log")
