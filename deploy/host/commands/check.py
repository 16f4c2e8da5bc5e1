from __future__ import annotations

import argparse


def add_arguments(_p: argparse.ArgumentParser) -> None: ...
def run(_o: argparse.Namespace) -> None: ...
