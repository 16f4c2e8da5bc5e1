from __future__ import annotations

import argparse

from host import operations, output
from host.databases import upgrading
from host.errors import HostError
from host.restores.generations import VERSION
from host.toolbox import POSTGRES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", help="of PostgreSQL, as 18; its image is built before")


def run(options: argparse.Namespace) -> None:
    with operations.begun() as work:
        before = upgrading.upgrade(work, options.version)
        output.say(f"the stack serves with PostgreSQL {options.version}")
        output.say(
            f"The old database is still there, in {before.volume(POSTGRES)}. To go back, and lose "
            f"what is written from now on: set {VERSION}={before.version} in "
            f"{work.stack.env_file} and run mindgraph start."
        )
        try:
            made = upgrading.back_up(work)
        except HostError as error:
            raise HostError(
                f"the new database has no backup yet; run: mindgraph backup --new-database\n{error}"
            ) from error
    if made:
        output.say(f"backup {made.id} is made of it; a restore of an earlier one needs the old")
