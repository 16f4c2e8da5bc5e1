import argparse
import dataclasses
import json

from app import logs, settings
from app.cli import output
from app.ops import statements
from app.ops.statements import Statement

MOST = 1_000
WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="whole statements, for programs")
    parser.add_argument(
        "--top", type=_count, default=20, metavar="N", help="how many are shown; 20 by default"
    )


def run(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    found = statements.slowest(loaded, options.top)
    if options.json:
        output.say(json.dumps([dataclasses.asdict(one) for one in found], ensure_ascii=False))
        return
    output.say(f"{'share':>6} {'total':>12} {'calls':>10} {'mean':>12} {'rows':>10}  statement")
    for one in found:
        output.say(_line(one))


def _line(one: Statement) -> str:
    text = " ".join(one.statement.split())
    shown = text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
    total, mean = f"{one.total_ms:.0f} ms", f"{one.mean_ms:.2f} ms"
    return f"{one.share:>6.1%} {total:>12} {one.calls:>10} {mean:>12} {one.rows:>10}  {shown}"


def _count(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given) <= MOST:
        raise argparse.ArgumentTypeError(f"{given!r} is no number from 1 to {MOST}")
    return int(given)
