"""A stack changes from one release to another, and until that is complete it is on the one before:
after a kill at any moment, the next command finds the note of it and goes back."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Optional

from host import locking, output, releases, rollout
from host.errors import HostError
from host.locking import Journal
from host.stack import Stack

Images = releases.Images
# What the journal says from the moment in which names mean the other release.
UNFINISHED = "release"


def change(
    stack: Stack,
    journal: Journal,
    before: Images,
    after: Images,
    *,
    prepare: Optional[Callable[[], None]] = None,
    patience_s: float = rollout.PATIENCE_S,
) -> None:
    """Returns when the other release serves and the one before can be gone back to.

    Args:
        before: what names mean until now. What runs of the app is among it.
        after: what the same names are to mean.
        prepare: what is to be done by the images of `after` before one of them serves.

    Raises:
        HostError: the release before serves, and names mean it.
    """
    _note(journal, before, after)
    try:
        releases.use(after)
        if prepare:
            prepare()
        rollout.replace_app(stack, patience_s)
    except HostError as error:
        _go_back(stack, before)
        _end(stack, journal)
        raise HostError(f"{error}\nThe release before is back and serves.") from error
    except BaseException:
        # Containers are for the next command to see to; this one is to end.
        releases.use(before)
        raise
    _note(journal, before, after, complete=True)
    _complete(stack, journal, before, after)


def clean(stack: Stack, journal: Journal) -> None:
    """Goes back from a change that was killed, or ends one that was as good as complete."""
    left = _left(journal)
    if left is None:
        return
    journal.note(**{locking.PROCESS: str(os.getpid())})
    if left["complete"]:
        _complete(stack, journal, left["before"], left["after"])
        return
    output.complain("an upgrade or rollback was interrupted; going back to the release before it")
    _go_back(stack, left["before"])
    # NAME:next stays for the next upgrade.
    _forget(journal)


def settle() -> None:
    """Before `make up-prod` gives names to other images: no later command may go back from these.

    Raises HostError when a change is under way.
    """
    stack = Stack.here()
    if not is_noted(stack):
        return
    with locking.one_at_a_time(stack) as journal:
        try:
            clean(stack, journal)
        except HostError as error:
            output.complain(f"the release before does not come back: {error}")
            _forget(journal)


def is_noted(stack: Stack) -> bool:
    """Whether a change is under way, or was killed."""
    return bool(locking.peek(stack).get(UNFINISHED))


def start_after(stack: Stack, journal: Journal, start: Callable[[], None]) -> None:
    """Starts a stack whose change was killed, with the release that was healthy before it."""
    left = _left(journal)
    if left is not None and not left["complete"]:
        releases.use(left["before"])
        if rollout.serves(stack):
            try:
                clean(stack, journal)
            except HostError as error:
                output.complain(f"not without a gap, then: {error}")
                releases.use(left["before"])
    start()
    clean(stack, journal)


def _go_back(stack: Stack, before: Images) -> None:
    releases.use(before)
    if rollout.serves(stack):
        rollout.return_to(stack, before[releases.name_of(stack, "app")])


def _complete(stack: Stack, journal: Journal, before: Images, after: Images) -> None:
    releases.use(after)
    releases.keep({name: one for name, one in before.items() if name in after})
    _end(stack, journal)


def _end(stack: Stack, journal: Journal) -> None:
    releases.forget_next(stack)
    _forget(journal)


def _forget(journal: Journal) -> None:
    journal.note(**{UNFINISHED: "", locking.PROCESS: ""})


def _note(journal: Journal, before: Images, after: Images, *, complete: bool = False) -> None:
    note = {"before": before, "after": after, "complete": complete}
    journal.note(**{UNFINISHED: json.dumps(note), locking.PROCESS: str(os.getpid())})


def _left(journal: Journal) -> Optional[dict[str, Any]]:
    text = journal.read().get(UNFINISHED)
    return json.loads(text) if text else None
