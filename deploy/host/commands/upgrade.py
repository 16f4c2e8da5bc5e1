from __future__ import annotations

import argparse

from host import operations, output, releases, rollout
from host.backups import making
from host.errors import HostError
from host.stack import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-backup", action="store_true", help="without one before; the last one must do"
    )
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=rollout.PATIENCE_S,
        help=f"how long the new release has to become healthy ({rollout.PATIENCE_S:.0f})",
    )


def run(options: argparse.Namespace) -> None:
    with operations.begun() as work:
        stack = work.stack
        before = releases.changed(stack)
        if not before:
            output.say("the images that run are those that are here; there is nothing to upgrade")
            return
        if not options.no_backup:
            made = making.make(work, None)
            output.say(f"backup {made.id} is made")
        _upgrade(stack, before, options.patience)
    output.say("upgraded; to go back: mindgraph rollback")
    others = sorted(releases.changed(stack))
    if others:
        output.say(
            f"These changed as well, and restarting them takes some seconds: {', '.join(others)}. "
            "At a quiet time: docker compose up --detach --wait"
        )


def _upgrade(stack: Stack, before: dict[str, str], patience_s: float) -> None:
    try:
        output.say("bringing the database to the new release's schema")
        stack.compose("run", "--rm", "--no-deps", "--no-TTY", "app", "mindgraph", "init-db")
        rollout.replace_app(stack, patience_s)
    except HostError as error:
        releases.use(before)
        rollout.clean(stack)
        stack.compose(
            *("up", "--detach", "--no-deps", "--no-build", "--pull", "never", "--wait"),
            *("app", "worker"),
        )
        raise HostError(f"{error}\nThe release before is back and serves.") from error
    releases.keep(before)
