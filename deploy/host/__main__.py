"""`mindgraph COMMAND` on the machine itself; commands that are not known here go to the app."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Sequence

from host import output
from host.errors import HostError
from host.stack import Stack

# A module of its own each, in host/commands.
COMMANDS: dict[str, str] = {
    "alerts": "show what Prometheus finds wrong",
    "backup": "back up the whole stack while it serves",
    "backups": "list the backups, or verify one",
    "doctor": "look at this machine, the stack and the app for what is wrong, and how to mend it",
    "export-database": "write the whole database to one file, for another version or machine",
    "import-database": "let the stack serve the database of such a file, beside the one it has",
    "rehearse-restore": "bring the newest backup back where nobody uses it, and compare",
    "report-unit": "tell the journal, metrics and a hook how a unit of systemd ended",
    "restore": "bring a backup back, up to a moment, beside the data in use",
    "rollback": "go back to the images before the last upgrade, with no request lost",
    "start": "start the stack and wait until it is healthy; builds nothing",
    "stop": "stop the stack in order; the data is kept",
    "upgrade": "back up, migrate, and go to the images that are here now, with no request lost",
    "upgrade-database": "go to another version of PostgreSQL, and keep the old volume",
}
FAILED = 1
INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """Runs one command. Returns 0, 1 when it failed, 2 when it can't run as called."""
    try:
        if argv and argv[0] not in COMMANDS and not argv[0].startswith("-"):
            return Stack.here().pass_on("app", ["mindgraph", *argv])
        options = _parser(argv[0] if argv else "").parse_args(argv)
        return int(options.run(options) or 0)
    except HostError as error:
        output.complain(f"mindgraph: {error}")
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(asked: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mindgraph",
        epilog="The app does every other command, as `users` and `reindex`.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == asked:
            module = importlib.import_module(f"host.commands.{name.replace('-', '_')}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
