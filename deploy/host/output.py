"""The only place that prints."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    print(text, flush=True)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
