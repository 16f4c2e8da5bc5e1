from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from host import output
from host.backups import checking, choosing, configuration
from host.backups.manifest import Manifest
from host.backups.postgres import Postgres
from host.backups.repository import Repository
from host.stack import ComposeFailed, Stack
from host.toolbox import Toolbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="all that the manifests say, as JSON")
    parser.set_defaults(act=None)
    actions = parser.add_subparsers(metavar="verify, configuration")
    verify = actions.add_parser("verify", help="read a backup and see that it is whole")
    verify.set_defaults(act=_verify)
    bring = actions.add_parser("configuration", help="write a backup's settings into a new folder")
    bring.add_argument("--into", metavar="FOLDER", type=Path, required=True)
    bring.set_defaults(act=_bring_configuration)
    for action in (verify, bring):
        action.add_argument("id", nargs="?", help="the newest, unless it is named")


def run(options: argparse.Namespace) -> None:
    toolbox = Toolbox(Stack.here())
    repository = Repository(toolbox)
    found = repository.manifests()
    if options.act:
        options.act(repository, choosing.find(found, options.id), options)
        return
    if options.json:
        output.say(json.dumps([dataclasses.asdict(one) for one in found], indent=1))
        return
    for one in found:
        output.say(_line(one))
    if not found:
        output.say("there is no backup yet; make one: mindgraph backup")
    _warn(Postgres(toolbox.stack))


def _verify(repository: Repository, chosen: Manifest, _: argparse.Namespace) -> None:
    checking.check(repository.toolbox, repository, chosen)
    output.say(f"backup {chosen.id} is whole, and BACKUP_KEY opens it")


def _bring_configuration(
    repository: Repository, chosen: Manifest, options: argparse.Namespace
) -> None:
    folder, toolbox = options.into.absolute(), repository.toolbox
    key = toolbox.settings.get(configuration.KEY, "")
    places = configuration.bring(repository, chosen, folder, key)
    output.say(f"{folder / configuration.FILE} has the settings of backup {chosen.id}")
    output.say(
        "Cores and memory in it are those of the machine that it was made on: on another one"
    )
    output.say("empty CPU_CORES and each ..._MEMORY_MB, and `make env-prod` fills them. Next:")
    output.say(f"  cp {folder / configuration.FILE} {toolbox.stack.env_file}")
    for setting, place in places.items():
        output.say(f"  cp {folder / setting} {toolbox.stack.folder / place}")
    output.say("  make env-prod build-all")
    output.say("  deploy/mindgraph restore")


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
