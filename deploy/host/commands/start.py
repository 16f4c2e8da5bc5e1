from __future__ import annotations

import argparse

from host import changing, operations, running, volumes
from host.stack import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait-s",
        type=int,
        default=900,
        metavar="SECONDS",
        help="how long the services have to become healthy (900)",
    )
    parser.add_argument(
        "--new-database",
        action="store_true",
        help="with an empty database where DATA_GENERATION names one that is not there",
    )


def run(options: argparse.Namespace) -> None:
    stack = Stack.here()
    if running.engine_answers():
        if not changing.is_noted(stack):
            # The pooler of a killed restore would go on looking for a database that is gone.
            operations.finish_interrupted()
        if not options.new_database:
            volumes.require_database(stack)
    running.start(stack, options.wait_s)
