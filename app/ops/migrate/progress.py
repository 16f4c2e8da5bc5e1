"""What a long operation tells while it works, to whoever it was given."""

from typing import Protocol


class Progress(Protocol):
    """Whoever makes it also ends it; an operation only tells."""

    def phase(self, name: str, total: int = 0, unit: str = "") -> None:
        """Begins a phase, and so ends the one before. `total` is 0 where nobody knows it.

        `unit` is the plural of what is counted, as "rows"; "bytes" are shown as MB.
        """

    def advance(self, count: int) -> None:
        """So many more of the phase's `total` are done."""

    def remark(self, text: str) -> None:
        """A sentence for people that stays."""


class Silence:
    """Tells nobody."""

    def phase(self, name: str, total: int = 0, unit: str = "") -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def remark(self, text: str) -> None:
        pass
