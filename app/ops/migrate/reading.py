"""The file's side of the proof: the rows of a move, or of a range of its rowids, as tallies."""

import operator
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from app.ops.migrate import digests, hashes
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.digests import Tally
from app.ops.migrate.hashes import Hashes, Seeds
from app.ops.migrate.plan import Link, Move

# Of a batch: rows, and bytes where rows may be large.
ROWS = 4096
BYTES = 2_000_000
UNBOUNDED = {"bytea", "json", "jsonb", "text"}
# A table is read by several at once, in ranges of about so many rows.
ROWS_OF_RANGE = 10_000
MOST_RANGES = 500
# Where SQLite gives bytes that are no UTF-8, and Python was to make text of them.
UNDECODABLE = "Could not decode to UTF-8"

Row = Sequence[Any]


class InvalidText(bytes):
    """TEXT of the file that no text can be made of."""


@dataclass(frozen=True)
class Range:
    """Rows of a move: those between two rowids, or all. `left_out` has the rowids, or the keys as
    `key_of` makes them, of those that are in quarantine."""

    move: Move
    least: int | None
    most: int | None
    left_out: frozenset[Any]


@dataclass
class Tallies:
    """Of each link of a move, in their order; `whole` is of whole rows, without a key alone."""

    columns: list[Tally]
    rows: int = 0
    left_out: int = 0
    whole: int = 0
    seconds: float = 0.0

    def add(self, other: "Tallies") -> None:
        self.rows += other.rows
        self.left_out += other.left_out
        self.whole += other.whole
        self.seconds += other.seconds
        for mine, theirs in zip(self.columns, other.columns, strict=True):
            mine.add(theirs)


def opened(file: Path) -> sqlite3.Connection:
    address = f"{file.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def ranges(connection: sqlite3.Connection, move: Move, left_out: frozenset[Any]) -> list[Range]:
    pieces = min(-(-move.rows // ROWS_OF_RANGE), MOST_RANGES)
    if move.rowid is None or pieces < 2:
        return [Range(move, None, None, left_out)]
    rowid = quoted(move.rowid)
    statement = f"SELECT min({rowid}), max({rowid}) FROM {quoted(move.source)} NOT INDEXED"  # noqa: S608
    least, most = connection.execute(statement).fetchone()
    if least is None:
        return [Range(move, None, None, left_out)]
    step = (most - least) // pieces + 1
    return [
        Range(move, at, min(at + step - 1, most), left_out) for at in range(least, most + 1, step)
    ]


def tallies(connection: sqlite3.Connection, rows: Range, encoding: str) -> Tallies:
    began = time.monotonic()
    found = _tallies(connection, rows, encoding)
    found.seconds = time.monotonic() - began
    return found


def _tallies(connection: sqlite3.Connection, rows: Range, encoding: str) -> Tallies:
    if not encoding.upper().startswith("UTF-8"):
        return _read(connection, rows, _Utf16(rows, encoding))
    try:
        connection.text_factory = str
        return _read(connection, rows, _Plain(rows))
    except sqlite3.OperationalError as error:
        if not str(error).startswith(UNDECODABLE):
            raise
    connection.text_factory = _text
    return _read(connection, rows, _Plain(rows))


def _text(raw: bytes) -> str | InvalidText:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return InvalidText(raw)


class _Plain:
    """Rows as SQLite hands them out."""

    def __init__(self, rows: Range) -> None:
        self.names = _names(rows)

    def expressions(self) -> list[str]:
        return [quoted(name) for name in self.names]

    def columns(self, rows: list[Row]) -> list[Sequence[Any]]:
        return list(zip(*rows, strict=True))


class _Utf16(_Plain):
    """SQLite changes halves of surrogate pairs as it makes UTF-8, so TEXT comes as it is stored."""

    def __init__(self, rows: Range, encoding: str) -> None:
        super().__init__(rows)
        self.encoding = encoding

    def expressions(self) -> list[str]:
        names = [quoted(name) for name in self.names]
        values = [
            f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"
            for name in names
        ]
        return values + [f"typeof({name}) = 'text'" for name in names]

    def columns(self, rows: list[Row]) -> list[Sequence[Any]]:
        found = list(zip(*rows, strict=True))
        half = len(self.names)
        return [
            [
                self._decoded(value) if is_text else value
                for value, is_text in zip(values, flags, strict=True)
            ]
            for values, flags in zip(found[:half], found[half:], strict=True)
        ]

    def _decoded(self, raw: bytes) -> str | InvalidText:
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError:
            return InvalidText(raw)


def _names(rows: Range) -> list[str]:
    """The columns to read, each once; first those that tell which rows are in quarantine."""
    move = rows.move
    known_by: tuple[str, ...] = ()
    if rows.left_out:
        known_by = (move.rowid,) if move.rowid else move.source_key
    links = (*move.key, *move.links)
    return [*known_by, *dict.fromkeys(link.source for link in links if link.source not in known_by)]


def _read(connection: sqlite3.Connection, rows: Range, way: _Plain) -> Tallies:
    move = rows.move
    table = _Table(move, connection)
    found = Tallies([Tally() for _ in move.links])
    statement = f"SELECT {', '.join(way.expressions())} FROM {quoted(move.source)} NOT INDEXED"  # noqa: S608
    if rows.least is not None:
        statement += f" WHERE {quoted(str(move.rowid))} BETWEEN {rows.least} AND {rows.most}"
    weighed = [way.names.index(link.source) for link in move.links if link.column.type in UNBOUNDED]
    with closing(connection.cursor()) as cursor:
        for batch in _batches(cursor.execute(statement), weighed):
            columns = dict(zip(way.names, way.columns(batch), strict=True))
            stay = _staying(columns, rows) if rows.left_out else None
            if stay is not None:
                found.left_out += len(batch) - len(stay)
                columns = {name: [all_[at] for at in stay] for name, all_ in columns.items()}
            count = len(batch) if stay is None else len(stay)
            if count:
                found.rows += count
                table.tally(columns, count, found)
    return found


def _staying(columns: dict[str, Sequence[Any]], rows: Range) -> list[int]:
    move = rows.move
    known: Sequence[Any]
    if move.rowid:
        known = columns[move.rowid]
    else:
        known = [
            key_of(one) for one in zip(*(columns[name] for name in move.source_key), strict=True)
        ]
    return [at for at, one in enumerate(known) if one not in rows.left_out]


def key_of(values: Sequence[Any]) -> tuple[tuple[str, bytes], ...]:
    """The kinds and bytes of a key's values, as the quarantine has them."""
    return tuple(map(_kept, values))


def _kept(value: Any) -> tuple[str, bytes]:
    if isinstance(value, InvalidText):
        return "text", value
    if isinstance(value, bytes):
        return "blob", value
    if isinstance(value, str):
        return "text", value.encode()
    return "integer" if isinstance(value, int) else "real", repr(value).encode()


def _batches(cursor: sqlite3.Cursor, weighed: list[int]) -> Iterator[list[Row]]:
    if not weighed:
        while batch := cursor.fetchmany(ROWS):
            yield batch
        return
    batch = []
    size = 0
    for row in cursor:
        batch.append(row)
        for at in weighed:
            value = row[at]
            if value.__class__ is str or value.__class__ is bytes:
                size += len(value)
        if size > BYTES or len(batch) == ROWS:
            yield batch
            batch = []
            size = 0
    if batch:
        yield batch


@dataclass
class _Column:
    """A column of a batch: which rows have a value, all if None, and these values."""

    present: Any
    content: digests.Content | None
    nulls: int

    def hashes(self, seeds: Seeds) -> Hashes:
        """Of the values alone."""
        assert self.content is not None
        return self.content.hashes(seeds if self.present is None else seeds[self.present])

    def of_rows(self, seeds: Seeds) -> Hashes:
        """Zero where there is no value."""
        found = np.zeros(len(seeds), dtype=np.uint64)
        if self.content is not None:
            found[slice(None) if self.present is None else self.present] = self.hashes(seeds)
        return found


@dataclass
class _Table:
    move: Move
    connection: sqlite3.Connection
    readers: dict[Link, Callable[[Sequence[Any]], digests.Content]] = field(init=False)

    def __post_init__(self) -> None:
        links = (*self.move.key, *self.move.links)
        self.readers = {link: digests.reader(link, self._shown_by_sqlite) for link in links}

    def tally(self, columns: dict[str, Sequence[Any]], count: int, found: Tallies) -> None:
        read = {link: _column(columns[link.source], make) for link, make in self.readers.items()}
        if not self.move.key:
            found.whole += self._tally_whole([read[link] for link in self.move.links], count)
        seeds = digests.seeds(count)
        for link in self.move.key:
            seeds = read[link].of_rows(seeds)
        for link, tally in zip(self.move.links, found.columns, strict=True):
            column = read[link]
            tally.add(_tally(column, seeds))

    def _tally_whole(self, columns: list[_Column], count: int) -> int:
        rows = np.zeros(count, dtype=np.uint64)
        for at, column in enumerate(columns):
            rows ^= column.of_rows(digests.seeds(count, at))
        return hashes.total(hashes.of_integers(rows.view(np.int64), rows))

    def _shown_by_sqlite(self, number: float) -> str:
        text = self.connection.execute("SELECT CAST(? AS TEXT)", [number]).fetchone()[0]
        return str(text)


def _column(values: Sequence[Any], make: Callable[[Sequence[Any]], digests.Content]) -> _Column:
    nulls = values.count(None)
    if nulls == len(values):
        return _Column(None, None, nulls)
    if not nulls:
        return _Column(None, make(values), 0)
    present = np.frombuffer(bytes(map(operator.is_not, values, repeat(None))), dtype=bool)
    return _Column(present, make([one for one in values if one is not None]), nulls)


def _tally(column: _Column, seeds: Seeds) -> Tally:
    content = column.content
    if content is None:
        return Tally(column.nulls)
    total = hashes.total(column.hashes(seeds))
    return Tally(column.nulls, total, content.least, content.most, content.unreadable)
