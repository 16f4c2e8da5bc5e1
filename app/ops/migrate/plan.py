"""What goes where: each table and column of a SQLite file, and its place in PostgreSQL.

`plans.py` makes it, `load.py` follows it, and `verify.py` proves that it was followed. It is kept
with the rows while an import isn't finished, so that a resumed import follows the same one.
"""

from dataclasses import dataclass
from typing import Literal

from app.ops.migrate.target import Column

# How a value is made of the file's one: as it is, or of a text its SHA-256 in hexadecimal digits
# or its first characters.
Derivation = Literal["", "sha256", "prefix"]
# Characters of a "prefix".
PREFIX = 10


@dataclass(frozen=True)
class Link:
    """A column of the file and the one that takes its values."""

    source: str
    column: Column
    derivation: Derivation = ""


@dataclass(frozen=True)
class Move:
    """A table of the file, or some of its columns, and the table that takes its rows.

    `rowid` is a name of the file's rowid, None for WITHOUT ROWID; `source_key` its primary key.
    `key` are links to the target's primary key, when both sides agree on it for every row: no
    value of it needs a conversion, so `WHERE key = value` finds the row on either side. Without it
    rows get `MARK` for as long as the import lasts, if a constraint may refuse some of them.
    """

    source: str
    schema: str
    table: str
    links: tuple[Link, ...]
    rowid: str | None
    source_key: tuple[str, ...]
    key: tuple[Link, ...]
    rows: int
    # Made by the import itself, in schema `legacy`: the whole table, or its columns that have no
    # place in the target.
    is_kept: bool = False

    @property
    def is_marked(self) -> bool:
        return not self.key and not self.is_kept

    def described(self) -> str:
        """For people: from where to where, and the columns that change their name or content."""
        names = [
            f"{link.source} -> {link.column.name}"
            + (f" ({link.derivation})" if link.derivation else "")
            for link in self.links
            if link.derivation or link.source != link.column.name
        ]
        changed = f": {', '.join(names)}" if names else ""
        return f"{self.source} -> {self.schema}.{self.table}{changed}"


@dataclass(frozen=True)
class LeftOut:
    """What of the file is not carried over as rows, and why nothing is lost by that."""

    name: str
    kind: str
    reason: str
    sql: str = ""


@dataclass(frozen=True)
class Plan:
    """`encoding` is the file's. Each table of the file is in a move or left out.

    `legacy` is the schema for what has no place in the target, and for the quarantine. `defaults`
    are of columns that must have a value and that the file lacks: table, column, SQL. Rows of the
    quarantine up to `quarantined_before` are the file's own, from an earlier import.
    """

    encoding: str
    moves: tuple[Move, ...]
    left_out: tuple[LeftOut, ...]
    legacy: str
    defaults: tuple[tuple[str, str, str], ...] = ()
    quarantined_before: int = 0

    def of_source(self, table: str) -> tuple[Move, ...]:
        return tuple(one for one in self.moves if one.source == table)


# What the file has no column for, in the tables with marks: the rowid, or the place in the order of
# the primary key from 1.
MARK = "import_mark"
# Where everything goes that the target has no place for, and what can't be stored.
LEGACY = "legacy"
