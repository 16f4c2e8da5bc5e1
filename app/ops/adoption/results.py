"""What an adoption has done, and what it has left."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Left:
    """A row that stays where it is, or a part of one that doesn't fit; `reason` is for people."""

    table: str
    id: int
    reason: str


@dataclass
class Adopted:
    """Counts are of this run. `before` were taken over by an earlier one.

    Documents are `from_files` and `from_passages`, and `same` those whose owner has that very file
    already. `stays` are tables that have no place here, and their rows.
    """

    is_dry_run: bool
    from_files: int = 0
    from_passages: int = 0
    same: int = 0
    searches: int = 0
    feedback: int = 0
    before: int = 0
    left: list[Left] = field(default_factory=list)
    unfit: list[Left] = field(default_factory=list)
    over_quota: list[int] = field(default_factory=list)
    stays: dict[str, int] = field(default_factory=dict)
