from __future__ import annotations

import argparse

from host import operations, output, releases, rollout


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> None:
    """The schema stays: a release runs on that of the one after it."""
    with operations.begun() as work:
        stack = work.stack
        target, now = releases.previous(stack), releases.running(stack)
        releases.use(target)
        rollout.replace_app(stack)
        releases.keep({name: now[name] for name in target if name in now})
    output.say("the release before serves; to go forward again: mindgraph rollback")
