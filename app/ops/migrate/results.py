"""What an import has to tell, for people and for programs."""

from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["identical", "identical except quarantine", "failed"]
EXIT_CODES: dict[Verdict, int] = {
    "identical": 0,
    "failed": 1,
    "identical except quarantine": 3,
}


@dataclass(frozen=True)
class Pair:
    """What the file says and what PostgreSQL says, as each has it itself."""

    source: str | None
    target: str | None

    @property
    def is_equal(self) -> bool:
        return self.source == self.target


@dataclass(frozen=True)
class ColumnProof:
    """`least` and `most` are of the lengths in bytes where a type has no order."""

    source: str
    target: str
    nulls: Pair
    least: Pair
    most: Pair
    checksum: Pair

    @property
    def is_equal(self) -> bool:
        pairs = (self.nulls, self.least, self.most, self.checksum)
        return all(pair.is_equal for pair in pairs)


@dataclass(frozen=True)
class TableProof:
    """A move's two sides. `rows.source` leaves out what is in quarantine."""

    source: str
    schema: str
    target: str
    rows: Pair
    quarantined: int
    columns: tuple[ColumnProof, ...]
    seconds: float = 0.0

    @property
    def is_equal(self) -> bool:
        return self.rows.is_equal and all(one.is_equal for one in self.columns)


@dataclass(frozen=True)
class Proof:
    """`problems` are sentences: what differs, and where. Empty when all is equal."""

    tables: tuple[TableProof, ...]
    # What was checked beside rows, as constraints and sequences, and how many of each.
    checked: dict[str, int]
    problems: tuple[str, ...]
    seconds: float

    @property
    def is_equal(self) -> bool:
        return not self.problems and all(one.is_equal for one in self.tables)


@dataclass(frozen=True)
class QuarantinedRow:
    """`key` is JSON, `column` None where the whole row is refused."""

    table: str
    key: str
    column: str | None
    reason: str


@dataclass(frozen=True)
class Report:
    """`target` has no password in it. `seconds` are those of each phase, in their order.

    `remarks` are sentences: what somebody should know although nothing is wrong.
    """

    source: str
    target: str
    is_dry_run: bool
    started_at: str
    source_bytes: int
    seconds: dict[str, float]
    rows_read: int
    # Each "table -> schema.table", with what became of its columns where that is not by name.
    moves: tuple[str, ...]
    left_out: tuple[tuple[str, str, str], ...]
    # The first of them; `quarantined_total` counts all.
    quarantined: tuple[QuarantinedRow, ...]
    quarantined_total: int
    proof: Proof | None
    remarks: tuple[str, ...] = ()
    problem: str = ""
    verdict: Verdict = field(default="failed")

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]
