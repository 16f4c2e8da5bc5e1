from __future__ import annotations

import argparse

from host import locking, output, releases, rollout
from host.stack import Stack


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> None:
    """The schema stays: a release runs on that of the one after it."""
    stack = Stack.here()
    with locking.one_at_a_time(stack):
        rollout.clean(stack)
        target, now = releases.previous(stack), releases.running(stack)
        releases.use(target)
        rollout.replace_app(stack)
        releases.keep({name: now[name] for name in target if name in now})
    output.say("the release before serves; to go forward again: mindgraph rollback")
