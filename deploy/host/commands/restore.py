from __future__ import annotations

import argparse

from host import locking, output
from host.backups import choosing
from host.backups.choosing import Target
from host.backups.repository import Repository
from host.restores import restoring
from host.restores.generations import SETTING
from host.stack import Stack
from host.toolbox import Toolbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="a backup; alone, to the state that it was made of")
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
    stack = Stack.here()
    with locking.one_at_a_time(stack) as journal:
        toolbox = Toolbox(stack)
        restoring.clean(stack, toolbox, journal)
        target = _target(options, Repository(toolbox))
        before = restoring.restore(stack, toolbox, target, journal)
    output.say(f"restored to {target.shown}; the stack serves it")
    output.say(
        f"The data as it was is still there. To go back: set {SETTING}={before.name} in "
        f"{stack.env_file} and run docker compose up --wait. To delete it: docker volume rm "
        + " ".join(before.volumes)
    )


def _target(options: argparse.Namespace, repository: Repository) -> Target:
    found = repository.manifests()
    if options.to:
        return choosing.to_time(found, options.to, options.id)
    if options.to_transaction:
        return choosing.before_transaction(found, options.to_transaction, options.id)
    if options.id:
        return choosing.to_backup(choosing.find(found, options.id))
    return choosing.to_latest(found)
