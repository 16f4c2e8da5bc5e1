import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from app import logs, settings
from app.cli import output
from app.ops.doctor import examination, findings, report
from app.ops.doctor.findings import Finding

FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="for programs")
    shape.add_argument(
        "--report",
        action="store_true",
        help="for a bug report: without secrets, names of hosts, addresses and people",
    )


def run(options: argparse.Namespace) -> int:
    """1 says that there is a failure; a warning is none."""
    loaded = settings.load()
    logs.configure(loaded)
    found = findings.in_order(examination.examine(loaded))
    if options.json:
        checks = [asdict(one) for one in found]
        whole = {"checks": checks, "summary": findings.summary(found)}
        output.say(json.dumps(whole, ensure_ascii=False))
    elif options.report:
        for line in report.lines(loaded, found):
            output.say(line)
    else:
        _show(found)
    return FAILED if findings.summary(found)["failure"] else 0


def _show(found: Sequence[Finding]) -> None:
    width = max(len(one.check) for one in found)
    for one in found:
        output.say(f"{one.status:<7}  {one.check:<{width}}  {one.seen}")
        if one.fix:
            output.say(f"{'':<7}  {'':<{width}}  fix: {one.fix}")
    counted = findings.summary(found)
    output.say(", ".join(f"{status}: {count}" for status, count in counted.items()))
