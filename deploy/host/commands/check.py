from __future__ import annotations

import argparse
import json
import os

from host import output, upkeep
from host.stack import Stack

# What the journal takes for the priority of a line that begins so.
PRIORITIES = {upkeep.OK: "<6>", upkeep.WARNING: "<4>", upkeep.FAILURE: "<3>"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one object with all findings")


def run(options: argparse.Namespace) -> int:
    found = upkeep.all_of(Stack.here())
    if options.json:
        output.say(json.dumps({"findings": [one._asdict() for one in found]}, ensure_ascii=False))
    else:
        for one in found:
            mark = PRIORITIES[one.level] if "JOURNAL_STREAM" in os.environ else ""
            fix = f"; {one.fix}" if one.fix and one.level != upkeep.OK else ""
            text = " ".join(f"{one.text}{fix}".split())
            output.say(f"{mark}{one.level:8} {one.name}: {text}")
    return 1 if any(one.level == upkeep.FAILURE for one in found) else 0
