import argparse

from app import logs, settings
from app.cli import output
from app.db.init import init_db


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    report = init_db(loaded)
    output.say(
        f"schema {report.before or 'none'} -> {report.after}, "
        f"{report.organizations} organizations seeded"
        if report.changed
        else f"schema {report.after}: nothing to do"
    )
