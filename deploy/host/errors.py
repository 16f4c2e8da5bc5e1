from __future__ import annotations


class HostError(Exception):
    """Ends a command; the text says what is wrong, and what helps. `code` is how it ends."""

    code = 1


class WrongUse(HostError):
    """The command can't run as it was called, and nothing was done."""

    code = 2
