from __future__ import annotations

import argparse

from host import units


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", help="its whole name, as mindgraph-backup.service")
    parser.add_argument("--failed", action="store_true", help="it failed; without it, it did well")


def run(options: argparse.Namespace) -> None:
    if not options.failed:
        units.succeeded(options.unit)
        return
    units.failed(units.Ending.of(options.unit))
