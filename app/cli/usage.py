import argparse

from app import logs, settings
from app.cli import output
from app.db import engine
from app.db.session import Database
from app.usage import service
from app.usage.errors import NoRetention

MOST_DAYS = 36_500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="usage_command")
    retain = commands.add_parser(
        "retain",
        help="delete old records",
        description="Deletes the records of token usage that are older than some days. "
        "It may be interrupted, and goes on when it is called again.",
    )
    retain.add_argument(
        "--days", type=_days, help="how many days to keep; USAGE_RETENTION_DAYS by default"
    )
    retain.add_argument("--dry-run", action="store_true", help="only say how many there are")


def run(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    days = options.days or loaded.usage_retention_days
    if days is None:
        raise NoRetention
    database = Database(engine.build(loaded, name="cli", threads=1))
    try:
        if options.dry_run:
            count = service.count_older(database, days=days)
            output.say(f"{count} records are older than {days} days; nothing was deleted")
        else:
            _retain(database, days)
    finally:
        database.close()


def _retain(database: Database, days: int) -> None:
    total = 0
    try:
        for deleted in service.retain(database, days=days):
            total += deleted
    finally:
        # Also after Ctrl-C: what is deleted is deleted.
        output.say(f"deleted {total} records older than {days} days")


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"must be between 1 and {MOST_DAYS}")
    return days
