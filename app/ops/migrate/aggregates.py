"""The server's side of the proof: one row for each table, computed where the rows are."""

from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate.catalogue import quoted
from app.ops.migrate.digests import CUT, DOCUMENTS, FLOATS, INTEGERS, LONG, MOMENTS, SEED
from app.ops.migrate.plan import Link, Move

# A row of a result has at most 1664 values; this leaves room.
COLUMNS_AT_ONCE = 250
TEXTS = {"bpchar", "varchar", "text"}
# Bytes of a character.
WIDEST = 4
# What follows relies on how the server writes and reads times and numbers, and on nobody's hurry.
SETTINGS = (
    "SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO, YMD'; SET extra_float_digits TO 1;"
    " SET statement_timeout TO 0; SET jit TO off; SET bytea_output TO 'hex'"
)


@dataclass(frozen=True)
class Sums:
    """Of a column, as the server has it; `total` is what sum() of the hashes gives."""

    nulls: int
    total: int
    least: Any
    most: Any


@dataclass(frozen=True)
class Found:
    rows: int
    # Of whole rows, 0 with a key.
    whole: int
    columns: tuple[Sums, ...]


def find(cursor: Cursor, move: Move) -> Found:
    links = move.links
    parts = [links[at : at + COLUMNS_AT_ONCE] for at in range(0, len(links), COLUMNS_AT_ONCE)]
    rows = whole = 0
    columns: list[Sums] = []
    for part in parts:
        cursor.execute(statement(move, part))
        ((rows, whole, *values),) = cursor.fetchall()
        columns += [_sums(rows, *values[at : at + 4]) for at in range(0, len(values), 4)]
    return Found(rows, int(whole or 0), tuple(columns))


def _sums(rows: int, filled: int, total: Any, least: Any, most: Any) -> Sums:
    return Sums(rows - filled, int(total or 0), least, most)


def statement(move: Move, links: tuple[Link, ...]) -> str:
    """Counts rows, sums up the hashes of whole rows where there is no key, and gives of each link:
    how many values, the sum of their hashes, the least and the most."""
    needed = (*move.key, *links) if move.key else move.links
    columns = {link: _Column(link, at) for at, link in enumerate(dict.fromkeys(needed))}
    values = ["count(*)", "0" if move.key else "sum(hashint8extended(seed, seed))"]
    seed = "seed" if move.key else _constant(0)
    for link in links:
        values += columns[link].values(seed)
    shown = ", ".join(name for one in columns.values() for name in one.shown())
    # Kept apart by OFFSET, so that what the server makes of a value it makes once.
    apart = " OFFSET 0" if any(one.is_costly for one in columns.values()) else ""
    rows = f"SELECT {shown} FROM {quoted(move.schema)}.{quoted(move.table)}{apart}"  # noqa: S608
    seeds = _of_key(move, columns) if move.key else _of_row(move, columns)
    once = "" if len(move.key) == 1 and move.key[0].column.type in INTEGERS else " OFFSET 0"
    seeded = f"SELECT *, {seeds} AS seed FROM ({rows}) AS shown{once}"  # noqa: S608
    return f"SELECT {', '.join(values)} FROM ({seeded}) AS seeded"  # noqa: S608


def _constant(plus: int) -> str:
    return f"'{SEED + plus}'::int8"


def _of_key(move: Move, columns: dict[Link, "_Column"]) -> str:
    seed = _constant(0)
    for link in move.key:
        seed = columns[link].hash(seed)
    return seed


def _of_row(move: Move, columns: dict[Link, "_Column"]) -> str:
    hashed = [columns[link].hash(_constant(at)) for at, link in enumerate(move.links)]
    return " # ".join(f"coalesce({one}, 0)" for one in hashed)


@dataclass(frozen=True)
class _Column:
    """How a link's column stands in the query: `v` is its value, `t` the text that is hashed."""

    link: Link
    number: int

    @property
    def type(self) -> str:
        return self.link.column.type

    @property
    def value(self) -> str:
        return f"v{self.number}"

    @property
    def text(self) -> str:
        return f"t{self.number}" if self.is_costly else self.value

    @property
    def is_costly(self) -> bool:
        """Whether it's worth it to make the text once for several uses."""
        return self.type not in {*INTEGERS, *FLOATS, *MOMENTS, *TEXTS, "bool", "date", "bytea"}

    def shown(self) -> list[str]:
        raw = quoted(self.link.column.name)
        # A real is the number that it is shown as.
        cast = {"float4": "::text::float8", "timestamptz": "::timestamp", "bpchar": "::text"}
        values = [f"{raw}{cast.get(self.type, '')} AS {self.value}"]
        if self.is_costly:
            # To ::text an inet is something else than what it is shown as.
            other = {"numeric": f"trim_scale({raw})", "inet": f"nullif(concat({raw}), '')"}
            values.append(f"{other.get(self.type, raw)}::text AS {self.text}")
        return values

    def values(self, seed: str) -> list[str]:
        filled = f"count({self.value})" if self.link.column.nullable else "count(*)"
        return [filled, f"sum({self.hash(seed)})", *self._ends()]

    def hash(self, seed: str) -> str:
        value = self.value
        if self.type in INTEGERS:
            return _number(f"{value}::int8", seed)
        if self.type == "bool":
            return _number(f"{value}::int4::int8", seed)
        if self.type in FLOATS:
            other = f"hashfloat8extended({value}, {seed})"
            # To a hash of numbers both zeros are the same.
            return f"CASE WHEN {value} = 0 THEN {_text(value, seed)} ELSE {other} END"
        if self.type in MOMENTS or self.type == "date":
            return self._moment(seed)
        if self.type == "bytea":
            return f"hashtextextended(encode(sha256({value}), 'hex') COLLATE \"C\", {seed})"
        return self._text(seed)

    def _moment(self, seed: str) -> str:
        value = self.value
        day = f"({value}::date - DATE '2000-01-01')::int8"
        hashed = f"timestamp_hash_extended({value}, {seed} # {day})"
        if self.type == "date":
            hashed = _number(day, seed)
        # There is no day in infinity.
        return f"CASE WHEN isfinite({value}) THEN {hashed} ELSE {_text(value, seed)} END"

    def _text(self, seed: str) -> str:
        text = self.text
        short = f'hashtextextended({text} COLLATE "C", {seed})'
        length = self.link.column.length
        if length is not None and length * WIDEST <= LONG:
            return short
        digest = f"encode(sha256(convert_to({text}, 'UTF8')), 'hex') COLLATE \"C\""
        long = f"hashtextextended({digest}, {seed})"
        return f"CASE WHEN octet_length({text}) > {LONG} THEN {long} ELSE {short} END"

    def _ends(self) -> list[str]:
        value = self.value
        if self.type == "bool":
            return [f"bool_and({value})::text", f"bool_or({value})::text"]
        if self.type in FLOATS:
            return [f"min({value})", f"max({value})"]
        if self.type in INTEGERS or self.type in MOMENTS or self.type == "date":
            return [f"min({value})::text", f"max({value})::text"]
        if self.type == "numeric":
            return [f"trim_scale({end}({value}))::text" for end in ("min", "max")]
        if self.type in DOCUMENTS or self.type == "bytea":
            size = f"octet_length({self.text})"
            return [f"min({size})::text", f"max({size})::text"]
        text = self.text
        if self.link.column.length is None:
            # Cutting all of them would take longer than the rest.
            text = (
                f"CASE WHEN octet_length({text}) > {LONG} THEN left({text}, {CUT}) ELSE {text} END"
            )
        return [f'left({end}({text} COLLATE "C"), {CUT})' for end in ("min", "max")]


def _number(value: str, seed: str) -> str:
    """The hash folds 64 bits into 32, so that 1 and 2^32 are the same to it: with the value in the
    seed they are not."""
    return f"hashint8extended({value}, {seed} # {value})"


def _text(value: str, seed: str) -> str:
    return f'hashtextextended({value}::text COLLATE "C", {seed})'
