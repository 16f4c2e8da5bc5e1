"""What commands print goes to standard output at once, also into a pipe."""

import sys


def say(line: str) -> None:
    print(line, flush=True)


def complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
