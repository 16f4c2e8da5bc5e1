"""Makes the plan of an import from what the file holds and what the target has room for."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from app.errors import Conflict
from app.ops.migrate import catalogue, keeping, quarantine, schema, state, target
from app.ops.migrate.catalogue import count_rows, quoted
from app.ops.migrate.plan import LEGACY, Derivation, LeftOut, Link, Move, Plan

# Of these a value is found by `=` on either side.
IS_TEXT = "typeof({0}) = 'text' AND instr({0}, char(0)) = 0"
IS_INTEGER = "typeof({{0}}) = 'integer' AND {{0}} BETWEEN -{0} AND {0}"
KEY_CONDITIONS = {
    "int2": IS_INTEGER.format(2**15 - 1),
    "int4": IS_INTEGER.format(2**31 - 1),
    "int8": IS_INTEGER.format(2**63 - 1),
    "text": IS_TEXT,
    "varchar": IS_TEXT,
}
# An index takes no more than a third of a page, in bytes.
LONGEST_KEY = 600
# Under this prefix a file that `export-sqlite` wrote has what was in schema `legacy`.
PREFIX = f"{LEGACY}."

Thing = TypeVar("Thing")


class PlanImpossible(Conflict):
    """The file can't be moved into this target."""


@dataclass(frozen=True)
class Rules:
    """What an application knows of its own tables.

    `derivations`: of a table's column that the target lacks, the columns that are made of it.
    `remade`: tables that aren't data, with the reason why they needn't be carried over.
    `defaults`: of a table's columns that must have a value, the SQL of it for files from before
    there was the column.
    """

    derivations: Mapping[tuple[str, str], tuple[tuple[str, Derivation], ...]] = field(
        default_factory=dict
    )
    remade: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[tuple[str, str], str] = field(default_factory=dict)


def make(
    connection: sqlite3.Connection,
    found: catalogue.Catalogue,
    into: target.Catalogue,
    rules: Rules,
    legacy: str = LEGACY,
) -> Plan:
    """Each table of the file gets its place, and so does each of its columns.

    Raises:
        PlanImpossible: the message says why, and what helps.
    """
    planner = _Planner(connection, found, into, rules, legacy)
    tables = [*found.tables, *_virtual(connection, found)]
    moves: list[Move] = []
    left_out = list(_left_out(found))
    for table in tables:
        if table.name in rules.remade and table.name in into.tables:
            left_out.append(LeftOut(table.name, "table", rules.remade[table.name], table.sql))
        else:
            moves += planner.moves(table)
    return Plan(
        encoding=found.encoding,
        moves=tuple(moves),
        left_out=tuple(left_out),
        legacy=legacy,
        defaults=tuple(_defaults(moves, into, rules)),
        quarantined_before=_quarantined(connection, moves),
    )


def match(
    connection: sqlite3.Connection,
    found: catalogue.Catalogue,
    places: Mapping[str, tuple[str, target.Table]],
) -> Plan:
    """The plan by which a file that was written from PostgreSQL is compared with it.

    Args:
        connection: to the file.
        found: what it holds.
        places: of each of its tables that was written, the schema and table.
    """
    moves = []
    for table in found.tables:
        if table.name in places:
            schema_name, place = places[table.name]
            columns = {one.name: one for one in place.columns}
            named = [(one.name, _same(one.name, columns)) for one in table.columns]
            links = tuple(Link(name, one) for name, one in named if one)
            key = _key(connection, table, place, links)
            rows = count_rows(connection, table.name)
            moves.append(_move(table, schema_name, place.name, links, key, rows))
    rest = [table for table in found.tables if table.name not in places]
    left_out = [LeftOut(one.name, "table", "made anew by the service") for one in rest]
    return Plan(found.encoding, tuple(moves), (*left_out, *_left_out(found)), legacy="")


def _quarantined(connection: sqlite3.Connection, moves: list[Move]) -> int:
    for move in moves:
        if move.is_kept and move.table == "import_quarantine":
            statement = f"SELECT coalesce(max(id), 0) FROM {quoted(move.source)}"  # noqa: S608
            return int(connection.execute(statement).fetchone()[0])
    return 0


def _defaults(
    moves: list[Move], into: target.Catalogue, rules: Rules
) -> Iterator[tuple[str, str, str]]:
    loaded = {move.table: move for move in moves if not move.is_kept}
    for (table, column), expression in rules.defaults.items():
        if table in loaded and column in {one.name for one in into.tables[table].columns}:
            given = {link.column.name for link in loaded[table].links}
            if column not in given:
                yield table, column, expression


def _virtual(connection: sqlite3.Connection, found: catalogue.Catalogue) -> list[catalogue.Table]:
    """Virtual tables whose rows are nowhere else, as if they were tables."""
    kept = [one for one in found.others if one.kind == "virtual" and one.keeps_rows]
    try:
        return [schema.virtual_table(connection, one) for one in kept]
    except sqlite3.Error as error:
        raise PlanImpossible(
            f"the file has virtual tables that this SQLite can't read ({error}): "
            f"drop them in a copy of the file, or copy their rows into tables there"
        ) from error


def _left_out(found: catalogue.Catalogue) -> list[LeftOut]:
    reasons = {
        "view": "it holds no rows, and isn't made in PostgreSQL",
        "trigger": "it holds no rows, and isn't made in PostgreSQL",
        "virtual": "an index of rows that are in a table",
        "shadow": "a part of a virtual table",
    }
    return [
        LeftOut(one.name, one.kind, reasons[one.kind], one.sql)
        for one in found.others
        if not one.keeps_rows
    ]


class _Planner:
    def __init__(
        self,
        connection: sqlite3.Connection,
        found: catalogue.Catalogue,
        into: target.Catalogue,
        rules: Rules,
        legacy: str,
    ) -> None:
        self._connection = connection
        self._found = found
        self._into = into
        self._rules = rules
        self._legacy = legacy
        self._kept: set[str] = {*quarantine.COLUMNS, *state.TABLES}
        self._taken: set[str] = set()

    def moves(self, table: catalogue.Table) -> list[Move]:
        rows = count_rows(self._connection, table.name)
        if rows and table.rowid is None and not table.without_rowid:
            raise PlanImpossible(
                f"{table.name} has columns named rowid, _rowid_ and oid, so that nothing tells its "
                f"rows apart: rename one of them in a copy of the file"
            )
        place = self._place(table)
        if place is None or place.name in self._taken:
            return [self._whole(table, rows)]
        links, extra = self._links(table, place)
        if not links or self._lacking(place, links):
            return [self._whole(table, rows)]
        self._taken.add(place.name)
        key = _key(self._connection, table, place, links)
        move = _move(table, self._into.schema, place.name, links, key, rows)
        return [move, *self._extra(table, extra, rows)]

    def _place(self, table: catalogue.Table) -> target.Table | None:
        if table.name.startswith(PREFIX):
            return None
        return _same(table.name, self._into.tables)

    def _links(
        self, table: catalogue.Table, place: target.Table
    ) -> tuple[tuple[Link, ...], list[catalogue.Column]]:
        """What goes where, and the columns that have no place."""
        columns = {one.name: one for one in place.columns}
        links: list[Link] = []
        extra: list[catalogue.Column] = []
        for column in table.columns:
            same = _same(column.name, columns)
            made = self._rules.derivations.get((table.name, column.name), ())
            if same and not same.is_generated and same not in [link.column for link in links]:
                links.append(Link(column.name, same))
            elif made and all(name in columns for name, _ in made):
                links += [Link(column.name, columns[name], how) for name, how in made]
            elif not (same and column.kind in {"virtual", "stored"}) and column.kind != "hidden":
                extra.append(column)
        return tuple(links), extra

    def _lacking(self, place: target.Table, links: tuple[Link, ...]) -> list[str]:
        """Columns that must have a value, and get none."""
        given = {link.column.name for link in links}
        return [
            one.name
            for one in place.columns
            if one.name not in given
            and not (one.nullable or one.default or one.is_generated or one.identity)
            and (place.name, one.name) not in self._rules.defaults
        ]

    def _whole(self, table: catalogue.Table, rows: int) -> Move:
        name = table.name.removeprefix(PREFIX)
        if name in quarantine.COLUMNS and name != table.name:
            return self._quarantine(table, name, rows)
        wanted = [one for one in table.columns if one.kind != "hidden"]
        return self._keep(table, name, wanted, rows)

    def _quarantine(self, table: catalogue.Table, name: str, rows: int) -> Move:
        """What an earlier import couldn't store is still in quarantine after another one."""
        links = {one.name: Link(one.name, one) for one in quarantine.COLUMNS[name]}
        key = tuple(links[one] for one in quarantine.KEYS[name])
        return _move(table, self._legacy, name, tuple(links.values()), key, rows, is_kept=True)

    def _extra(
        self, table: catalogue.Table, extra: list[catalogue.Column], rows: int
    ) -> list[Move]:
        if not extra:
            return []
        of_key = [one for name in table.key for one in table.columns if one.name == name]
        if not of_key:
            # Nothing but the rest of its row tells what a value belongs to.
            return [self._whole(table, rows)]
        return [self._keep(table, table.name, [*of_key, *extra], rows)]

    def _keep(
        self, table: catalogue.Table, name: str, wanted: list[catalogue.Column], rows: int
    ) -> Move:
        columns = keeping.columns(self._connection, table, wanted)
        links = tuple(Link(one.name, column) for one, column in zip(wanted, columns, strict=True))
        name = keeping.short(name, self._kept)
        self._kept.add(name)
        by_name = {link.source: link for link in links}
        key = tuple(by_name[one] for one in table.key)
        if not _is_exact(self._connection, table, key):
            key = ()
        return _move(table, self._legacy, name, links, key, rows, is_kept=True)


def _move(
    table: catalogue.Table,
    schema_name: str,
    name: str,
    links: tuple[Link, ...],
    key: tuple[Link, ...],
    rows: int,
    is_kept: bool = False,
) -> Move:
    return Move(
        source=table.name,
        schema=schema_name,
        table=name,
        links=links,
        rowid=table.rowid,
        source_key=table.key,
        key=key,
        rows=rows,
        is_kept=is_kept,
    )


def _same(name: str, among: Mapping[str, Thing]) -> Thing | None:
    """By its name, or by the only one that is the same in other letters, as SQLite takes names."""
    if name in among:
        return among[name]
    alike = [one for one in among if one.lower() == name.lower()]
    return among[alike[0]] if len(alike) == 1 else None


def _key(
    connection: sqlite3.Connection,
    table: catalogue.Table,
    place: target.Table,
    links: tuple[Link, ...],
) -> tuple[Link, ...]:
    """Links to the target's primary key, when it is the file's one as well."""
    by_source = {link.source: link for link in links if not link.derivation}
    key = tuple(by_source[name] for name in table.key if name in by_source)
    if len(key) != len(table.key) or not key:
        return ()
    if {link.column.name for link in key} != set(place.primary_key):
        return ()
    return key if _is_exact(connection, table, key) else ()


def _is_exact(
    connection: sqlite3.Connection, table: catalogue.Table, key: tuple[Link, ...]
) -> bool:
    """Whether no value of the key needs a conversion."""
    if not key or any(link.column.type not in KEY_CONDITIONS for link in key):
        return False
    exact = " AND ".join(_exact(link) for link in key)
    wrong = f"SELECT 1 FROM {quoted(table.name)} WHERE NOT coalesce({exact}, 0)"  # noqa: S608
    (exists,) = connection.execute(f"SELECT EXISTS ({wrong})").fetchone()
    return not exists


def _exact(link: Link) -> str:
    name = quoted(link.source)
    condition = KEY_CONDITIONS[link.column.type].format(name)
    return f"{condition} AND length({name}) <= {link.column.length or LONGEST_KEY}"
