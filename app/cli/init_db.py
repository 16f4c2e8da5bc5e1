import argparse

from app import logs, settings
from app.cli import output
from app.db.init import init_db


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--thorough",
        action="store_true",
        help="check the whole file of an embedded database, also when it is large",
    )


def run(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    report = init_db(loaded, thorough=options.thorough)
    output.say(
        f"schema {report.before or 'none'} -> {report.after}, "
        f"{report.organizations} organizations seeded"
        if report.changed
        else f"schema {report.after}: nothing to do"
    )
