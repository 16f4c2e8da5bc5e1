from __future__ import annotations

import argparse

from host import changing, operations, output, releases, rollout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    rollout.add_patience(parser)


def run(options: argparse.Namespace) -> None:
    """The schema stays: a release runs on that of the one after it."""
    with operations.begun() as work:
        stack = work.stack
        target = releases.previous(stack)
        before = {name: releases.find(name) for name in target}
        # Of the app what serves counts, whatever was built since.
        app = releases.name_of(stack, "app")
        before[app] = releases.running(stack).get(app, before.get(app))
        known = {name: one for name, one in before.items() if one}
        changing.change(stack, work.journal, known, target, patience_s=options.patience)
    output.say("the release before serves; to go forward again: mindgraph rollback")
    output.say(
        "`make up-prod` would build what this checkout has: go back in it as well (git checkout)"
    )
