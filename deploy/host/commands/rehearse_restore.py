from __future__ import annotations

import argparse
import dataclasses
import json

from host import operations, output
from host.restores import rehearsing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the report as JSON")


def run(options: argparse.Namespace) -> int:
    """Ends with 1 when the newest backup is not worth what it should be."""
    with operations.begun() as work:
        report = rehearsing.rehearse(work.toolbox, work.journal)
    if options.json:
        output.say(json.dumps(dataclasses.asdict(report), indent=1))
    elif report.reason:
        output.complain(f"backup {report.backup} could not be brought back: {report.reason}")
    else:
        counted = (
            f"{report.tables} tables, {report.rows} rows, {report.files} files, "
            f"{report.vectors} vectors of {report.documents} documents"
        )
        output.say(f"backup {report.backup} came back in {report.seconds} s: {counted}")
        for one in report.differing:
            output.complain(f"a restore mends by itself: {one}")
    return 1 if report.reason else 0
