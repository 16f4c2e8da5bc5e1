from __future__ import annotations

import argparse

from host import changing, operations, output, releases, rollout
from host.backups import making
from host.stack import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-backup", action="store_true", help="without one before; the last one must do"
    )
    rollout.add_patience(parser)


def run(options: argparse.Namespace) -> None:
    with operations.begun() as work:
        stack = work.stack
        before, after = releases.stage(stack)
        if not after:
            output.say("the images that run are those that are here; there is nothing to upgrade")
            return
        if not options.no_backup:
            made = making.make(work, None)
            output.say(f"backup {made.id} is made")
        app = releases.name_of(stack, "app")
        changing.change(
            stack,
            work.journal,
            {app: str(releases.find(app)), **before},
            after,
            prepare=lambda: _bring_schema(stack),
            patience_s=options.patience,
        )
    output.say("upgraded; to go back: mindgraph rollback")
    others = sorted(releases.changed(stack))
    if others:
        output.say(
            f"These changed as well, and restarting them takes some seconds: {', '.join(others)}. "
            "At a quiet time: docker compose up --detach --wait"
        )


def _bring_schema(stack: Stack) -> None:
    output.say("bringing the database to the new release's schema")
    stack.compose("run", "--rm", "--no-deps", "--no-TTY", "app", "mindgraph", "init-db")
