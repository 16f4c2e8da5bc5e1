from __future__ import annotations

import argparse

from host import running
from host.stack import Stack


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_options: argparse.Namespace) -> None:
    running.stop(Stack.here())
