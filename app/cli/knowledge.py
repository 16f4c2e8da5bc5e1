import argparse
import json
from dataclasses import asdict

from app import logs, settings
from app.cli import output
from app.knowledge import consistency
from app.knowledge.consistency import Report
from app.ops import knowledge

DIFFERENT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="knowledge_command")
    check = commands.add_parser(
        "check",
        help="compare documents, files and Qdrant",
        description="Compares chunks with points and versions with files. Exit code 1 says that "
        "something differs and was not mended.",
    )
    check.add_argument("--fix", action="store_true", help="mend what differs")
    check.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    loaded = settings.load()
    logs.configure(loaded)
    with knowledge.tools(loaded) as tools:
        report = consistency.check(tools, fix=options.fix)
    if options.json:
        output.say(json.dumps(asdict(report) | {"clean": report.is_clean}, ensure_ascii=False))
    else:
        _show(report)
    return 0 if report.is_clean else DIFFERENT


def _show(report: Report) -> None:
    output.say(f"{report.chunks} chunks, {report.points} points, {report.files} files")
    for one in report.differences:
        mended = f", {one.fixed} mended" if one.fixed else ""
        examples = f": {', '.join(one.examples)}" if one.examples else ""
        output.say(f"{one.found} {one.what}{mended}{examples}")
    if not report.is_clean:
        output.say("mend it with: mindgraph knowledge check --fix")
