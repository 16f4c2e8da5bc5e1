from __future__ import annotations

import argparse

from host import changing, operations, running
from host.stack import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait-s",
        type=int,
        default=900,
        metavar="SECONDS",
        help="how long the services have to become healthy (900)",
    )


def run(options: argparse.Namespace) -> None:
    stack = Stack.here()
    if running.engine_answers() and not changing.is_noted(stack):
        # The pooler of a restore that was killed would go on looking for a database that is gone.
        operations.finish_interrupted()
    running.start(stack, options.wait_s)
