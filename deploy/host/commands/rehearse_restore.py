from __future__ import annotations

import argparse
import dataclasses
import json

from host import locking, output
from host.restores import rehearsing, restoring
from host.stack import Stack
from host.toolbox import Toolbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the report as JSON")


def run(options: argparse.Namespace) -> int:
    """Ends with 1 when the newest backup is not worth what it should be."""
    stack = Stack.here()
    with locking.one_at_a_time(stack) as journal:
        toolbox = Toolbox(stack)
        restoring.clean(stack, toolbox, journal)
        report = rehearsing.rehearse(toolbox, journal)
    if options.json:
        output.say(json.dumps(dataclasses.asdict(report), indent=1))
    elif report.reason:
        output.complain(f"backup {report.backup} could not be brought back: {report.reason}")
    else:
        counted = f"{report.tables} tables, {report.rows} rows, {report.files} files"
        output.say(f"backup {report.backup} came back in {report.seconds} s: {counted}")
    return 1 if report.reason else 0
