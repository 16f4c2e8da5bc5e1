from __future__ import annotations

import argparse
import json
import os

from host import aging, output
from host.stack import Stack

# What the journal takes for the priority of a line that begins so.
PRIORITIES = {aging.OK: "<6>", aging.WARNING: "<4>", aging.FAILURE: "<3>"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one object with all findings")


def run(options: argparse.Namespace) -> int:
    found = aging.all_of(Stack.here())
    if options.json:
        output.say(json.dumps({"findings": [one._asdict() for one in found]}, ensure_ascii=False))
    else:
        for one in found:
            mark = PRIORITIES[one.level] if "JOURNAL_STREAM" in os.environ else ""
            fix = f"; {one.fix}" if one.fix and one.level != aging.OK else ""
            text = " ".join(f"{one.text}{fix}".split())
            output.say(f"{mark}{one.level:8} {one.name}: {text}")
    return 1 if any(one.level == aging.FAILURE for one in found) else 0
