from __future__ import annotations

import argparse
import dataclasses
from typing import Sequence

from host import engine, operations, output
from host.backups import choosing
from host.backups.choosing import Target
from host.backups.manifest import Manifest
from host.backups.repository import Repository
from host.operations import Operation
from host.restores import filling, moving, restoring
from host.restores.filling import Filled
from host.restores.generations import SETTING, Generation
from host.toolbox import POSTGRES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="a backup; alone, to the state that it was made of")
    parser.add_argument(
        "--into", metavar="PROJECT", help="a new stack of this name, beside the one that runs"
    )
    parser.add_argument(
        "--before-gap",
        action="store_true",
        help="where the archive has a gap, be content with what is before it",
    )
    goals = parser.add_mutually_exclusive_group()
    goals.add_argument(
        "--to", metavar="TIME", help="with all that was committed before, as 2026-11-28T08:15:00Z"
    )
    goals.add_argument(
        "--to-transaction",
        metavar="NUMBER",
        type=int,
        help="with all that was committed before this transaction of PostgreSQL",
    )


def run(options: argparse.Namespace) -> None:
    with operations.begun() as work:
        stack = work.stack
        found = Repository(work.toolbox).manifests()
        target = _target(options, found)
        if options.into:
            other = moving.restore_into(stack, work.toolbox, target, options.into, work.journal)
            port = other.settings()["HTTPS_PORT"]
            output.say(f"{options.into} runs with {target.shown}, at https://localhost:{port}")
            output.say(f"Its settings are in {other.env_file}; MINDGRAPH_ENV_FILE names it to us.")
            return
        before, filled, target = _restore(options, work, found)
    output.say(f"restored to {target.shown}; the stack serves it")
    if filled.reached:
        output.say(
            f"Its last change is of {filled.reached}; the data as it was has what was written since"
        )
    if filled.missing:
        output.say(
            f"{len(filled.missing)} uploaded files are missing that came after the backup, as "
            f"{filled.missing[0]}; their documents: mindgraph knowledge check"
        )
    if not engine.find_volume(before.volume(POSTGRES)):
        # A new machine's.
        return
    output.say(
        f"The data as it was is still there. To go back: set {SETTING}={before.name} in "
        f"{stack.env_file} and run mindgraph start. To delete it: docker volume rm "
        + " ".join(before.volumes)
    )


def _restore(
    options: argparse.Namespace, work: Operation, found: Sequence[Manifest]
) -> tuple[Generation, Filled, Target]:
    """From the newest backup that leads there: one that was made before the database was taken back
    to an earlier time doesn't."""
    while True:
        target = _target(options, found)
        try:
            made = restoring.restore(work.stack, work.toolbox, target, work.journal)
            return (*made, target)
        except filling.OtherHistory:
            found = [one for one in found if one.id < target.manifest.id]
            if not found or options.id:
                raise
            output.complain(f"backup {target.manifest.id} does not lead there; the one before it")


def _target(options: argparse.Namespace, found: Sequence[Manifest]) -> Target:
    return dataclasses.replace(_goal(options, found), gaps=options.before_gap)


def _goal(options: argparse.Namespace, found: Sequence[Manifest]) -> Target:
    if options.to:
        return choosing.to_time(found, options.to, options.id)
    if options.to_transaction:
        return choosing.before_transaction(found, options.to_transaction, options.id)
    if options.id:
        return choosing.to_backup(choosing.find(found, options.id))
    return choosing.to_latest(found)
