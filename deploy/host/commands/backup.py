from __future__ import annotations

import argparse

from host import operations, output
from host.backups import making, reports
from host.backups.postgres import DIFFERENTIAL, FULL
from host.errors import HostError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--full", dest="kind", action="store_const", const=FULL, help="store all of the database"
    )
    kinds.add_argument(
        "--diff",
        dest="kind",
        action="store_const",
        const=DIFFERENTIAL,
        help="store what changed since the last full one",
    )

    parser.add_argument(
        "--new-database",
        action="store_true",
        help="let this database take over a repository that has the backups of another one",
    )


def run(options: argparse.Namespace) -> None:
    with operations.begun() as work:
        try:
            made = making.make(work, options.kind, new_database=options.new_database)
        except HostError:
            reports.failed(work.toolbox)
            raise
        reports.succeeded(work.toolbox, made)
    kind = "full" if made.database.kind == FULL else "differential"
    output.say(f"backup {made.id}: {kind}, {made.size} bytes, restorable to {made.point.time} on")
