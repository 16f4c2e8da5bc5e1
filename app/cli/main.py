"""`mindgraph COMMAND`: dispatch, and the only place that turns errors into exit codes."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

import app
from app import settings
from app.cli import output
from app.errors import AppError
from app.settings import SettingsError

# A command's module is imported when it is the one that was asked for: `init-db` needs no web
# framework.
COMMANDS = {
    "doctor": "check every service that this installation stands on",
    "export-sqlite": "write the PostgreSQL database to a new SQLite file",
    "import-sqlite": "move a SQLite file to PostgreSQL, and prove that nothing is lost",
    "init-db": "bring the database to this release's schema and seed an empty one",
    "knowledge": "look after documents and what a search finds",
    "reindex": "build the search index in Qdrant anew from the database",
    "run": "run everything on this machine without Docker, data in data/",
    "serve": "prepare the database, then serve over HTTP",
    "statements": "show which statements the database spends its time on",
    "usage": "look after the records of token usage",
    "users": "manage users",
    "vectors": "look after the search index in Qdrant",
    "worker": "work on background jobs",
}

# Those whose work several processes do, and which count together.
SHARED = frozenset({"serve"})

FAILED = 1
WRONG_USE = 2
# As shells count a program that SIGINT ended.
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0, 1 when it failed, 2 when it can't run as called."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments[0] if arguments else None)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except SettingsError as error:
        output.complain(f"mindgraph: these settings can't be used:\n{error}")
        return WRONG_USE
    except AppError as error:
        output.complain(f"mindgraph: {error.detail}")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(asked: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mindgraph", description=app.__doc__)
    parser.add_argument("--version", action="version", version=f"mindgraph {app.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == asked:
            if name in SHARED:
                settings.share_metrics()
            module = _module(name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"app.cli.{name.replace('-', '_')}")
