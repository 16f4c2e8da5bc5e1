"""What every operation on a stack begins with."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator

from host import changing, locking, rollout
from host.backups import vectors
from host.databases import leftovers
from host.locking import Journal
from host.restores import restoring
from host.stack import Stack
from host.toolbox import Toolbox


@dataclass(frozen=True)
class Operation:
    """One at a time works on a stack; what the one before left is gone."""

    stack: Stack
    toolbox: Toolbox
    journal: Journal


@contextmanager
def begun() -> Iterator[Operation]:
    """Raises Busy at once when another one is at work."""
    stack = Stack.here()
    with locking.one_at_a_time(stack) as journal:
        work = Operation(stack, Toolbox(stack), journal)
        _clean(work)
        yield work


def finish_interrupted() -> None:
    """Sees to what a killed operation has left, unless another one is at work."""
    stack = Stack.here()
    try:
        with locking.one_at_a_time(stack) as journal:
            if any(journal.read().values()):
                _clean(Operation(stack, Toolbox(stack), journal))
    except locking.Busy:
        return


def _clean(work: Operation) -> None:
    # First, as others may start the stack, by what its images' names mean.
    changing.clean(work.stack, work.journal)
    vectors.clean(work.stack, work.journal)
    restoring.clean(work.stack, work.toolbox, work.journal)
    leftovers.clean(work.stack, work.toolbox, work.journal)
    rollout.clean(work.stack)
    work.journal.clear()
