from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

from host import operations, output
from host.databases import exporting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", type=Path, help="a new file (mindgraph-TIME.dump in this folder)"
    )


def run(options: argparse.Namespace) -> None:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    path = (options.file or Path(f"mindgraph-{stamp}.dump")).absolute()
    with operations.begun() as work:
        tables = exporting.export(work, path)
    rows = sum(one.rows for one in tables.values())
    output.say(
        f"{path} has the database: {len(tables)} tables, {rows} rows, and was loaded once to see "
        "that it can be. Uploaded files are not in it. It is not encrypted: keep it where only "
        "you can read it."
    )
