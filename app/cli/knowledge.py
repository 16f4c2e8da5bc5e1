import argparse
import json
from dataclasses import asdict
from pathlib import Path

from app import logs, settings
from app.cli import output
from app.knowledge import consistency, evaluation
from app.knowledge.consistency import Report
from app.ops import knowledge
from app.ops.adoption import adopting, report
from app.settings import Settings

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
    evaluate = commands.add_parser(
        "evaluate",
        help="measure how well a search finds",
        description="Asks the questions of a file in each mode, and tells for how many of them a "
        "right passage is among the first. Each line is a JSON object with question, document (a "
        "name or several) and contains (phrases, of which a right passage has one).",
    )
    evaluate.add_argument("file", type=Path, help="the questions")
    evaluate.add_argument("--login", required=True, help="whose documents are searched")
    evaluate.add_argument("--json", action="store_true", help="for programs")
    adopted = commands.add_parser(
        "adopt",
        help="take over documents and searches from before PostgreSQL",
        description="Takes over what `mindgraph import-sqlite` has kept: searches, and documents "
        "with their old file, or else with the text of their passages, which a worker reads then. "
        "It may be repeated: nothing is taken over twice.",
    )
    adopted.add_argument("--files", type=Path, metavar="FOLDER", help="has the old files")
    adopted.add_argument("--dry-run", action="store_true", help="change nothing, and report")
    adopted.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    loaded = settings.load()
    logs.configure(loaded)
    commands = {"adopt": adopt, "check": check, "evaluate": rate}
    return commands[options.knowledge_command](loaded, options)


def adopt(loaded: Settings, options: argparse.Namespace) -> int:
    done = adopting.adopt(loaded, options.files, is_dry_run=options.dry_run)
    if options.json:
        output.say(json.dumps(asdict(done), ensure_ascii=False))
        return 0
    for line in report.lines(done):
        output.say(line)
    return 0


def rate(loaded: Settings, options: argparse.Namespace) -> int:
    questions = evaluation.read(options.file)
    with knowledge.tools(loaded) as tools:
        found = knowledge.evaluate(tools, options.login, questions)
    if options.json:
        output.say(json.dumps([asdict(one) for one in found], ensure_ascii=False))
        return 0
    output.say(
        f"{'questions':24} {'mode':9} {'r@1':>6} {'r@5':>6} {'r@10':>6} {'MRR':>6} {'p50 ms':>8}"
    )
    for one in found:
        recall = " ".join(f"{one.recall[k]:6.3f}" for k in (1, 5, 10))
        group = f"{one.group} ({one.questions})"
        output.say(f"{group:24} {one.mode:9} {recall} {one.mrr:6.3f} {one.p50_ms:8.1f}")
    return 0


def check(loaded: Settings, options: argparse.Namespace) -> int:
    with knowledge.tools(loaded) as tools:
        found = consistency.check(tools, fix=options.fix)
    if options.json:
        output.say(json.dumps(asdict(found) | {"clean": found.is_clean}, ensure_ascii=False))
    else:
        _show(found)
        _advise(found, options)
    return 0 if found.is_clean else DIFFERENT


def _show(found: Report) -> None:
    output.say(f"{found.chunks} chunks, {found.points} points, {found.files} files")
    for one in found.differences:
        mended = f", {one.fixed} mended" if one.fixed else ""
        examples = f": {', '.join(one.examples)}" if one.examples else ""
        output.say(f"{one.found} {one.what}{mended}{examples}")


def _advise(found: Report, options: argparse.Namespace) -> None:
    if found.is_clean:
        return
    if options.fix:
        output.say("what is left needs its file: upload it again, or delete the document")
    else:
        output.say("mend it with: mindgraph knowledge check --fix")
