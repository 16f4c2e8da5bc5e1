from __future__ import annotations

import argparse
from pathlib import Path

from host import operations, output
from host.databases import exporting, upgrading
from host.errors import HostError, WrongUse
from host.restores.generations import SETTING


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="what `mindgraph export-database` has written")


def run(options: argparse.Namespace) -> None:
    path = options.file.absolute()
    if not path.is_file():
        raise WrongUse(f"there is no file {path}")
    with operations.begun() as work:
        before = exporting.take_in(work, path)
        env_file = work.stack.env_file
        try:
            upgrading.back_up(work)
        except HostError as error:
            raise HostError(
                "the stack serves the database of the file, but it has no backup yet; run: "
                f"mindgraph backup --new-database\n{error}"
            ) from error
    output.say(f"the stack serves the database of {path}; everybody logs in anew")
    output.say(
        f"The data as it was is still there. To go back: set {SETTING}={before.name} in {env_file} "
        "and run mindgraph start. To delete it: docker volume rm " + " ".join(before.volumes)
    )
