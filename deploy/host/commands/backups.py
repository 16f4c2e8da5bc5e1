from __future__ import annotations

import argparse
import dataclasses
import json

from host import output
from host.backups import checking, choosing
from host.backups.manifest import Manifest
from host.backups.postgres import Postgres
from host.backups.repository import Repository
from host.stack import ComposeFailed, Stack
from host.toolbox import Toolbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="all that the manifests say, as JSON")
    actions = parser.add_subparsers(metavar="verify")
    verify = actions.add_parser("verify", help="read a backup and see that it is whole")
    verify.add_argument("id", nargs="?", help="the newest, unless it is named")
    verify.set_defaults(verify=True)


def run(options: argparse.Namespace) -> None:
    toolbox = Toolbox(Stack.here())
    repository = Repository(toolbox)
    found = repository.manifests()
    if getattr(options, "verify", False):
        chosen = choosing.find(found, options.id)
        checking.check(toolbox, repository, chosen)
        output.say(f"backup {chosen.id} is whole, and BACKUP_KEY opens it")
        return
    if options.json:
        output.say(json.dumps([dataclasses.asdict(one) for one in found], indent=1))
        return
    for one in found:
        output.say(_line(one))
    if not found:
        output.say("there is no backup yet; make one: mindgraph backup")
    _warn(Postgres(toolbox.stack))


def _warn(postgres: Postgres) -> None:
    """Of what a restore would lack."""
    try:
        gaps, trouble = postgres.gaps(), postgres.trouble()
    except ComposeFailed:
        output.complain("the database does not run, so the state of its archive is unknown")
        return
    if trouble:
        output.complain(f"the archive fails, and so changes since then are in one place: {trouble}")
    if gaps:
        output.complain(
            f"the archive was given up at {gaps[0]}, when it had failed for too long: restores "
            "reach no later time before the next backup; make one: mindgraph backup"
        )


def _line(one: Manifest) -> str:
    megabytes = one.size / 1e6
    return (
        f"{one.id}  {one.database.kind:4}  {megabytes:10.1f} MB  restorable to {one.point.time} on"
    )
