from __future__ import annotations

import argparse

from host import running
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
    running.start(Stack.here(), options.wait_s)
