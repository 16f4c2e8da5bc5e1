"""Tables of the file that the target lacks: the types that hold all their values as they are."""

import sqlite3
from collections.abc import Sequence

from app.ops.migrate import catalogue, target
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import Plan

# What PostgreSQL takes of a name, in bytes; it cuts the rest off with no more than a notice.
LONGEST_NAME = 63
# What every table of PostgreSQL has by itself.
SYSTEM_COLUMNS = {"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"}
SECONDS = "substr({0}, 1, 19)"
# The column itself would be compared with a number, if it is declared as a date.
YEAR = "substr({0}, 1, 4)"
# SQLite takes the 31st of any month, and hour 24; what is right is the same after a calculation.
IS_TIME = (
    f"{YEAR} >= '0001'"
    " AND (length(CAST({0} AS BLOB)) = 19 OR length(CAST({0} AS BLOB)) = 26"
    " AND substr({0}, 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')"
    f" AND datetime({SECONDS}, '+0 seconds') IS replace({SECONDS}, 'T', ' ')"
)
IS_DATE = f"({YEAR} >= '0001'" + " AND length({0}) = 10 AND date({0}, '+0 days') IS {0})"
IS_ZERO_OR_ONE = "({0} BETWEEN 0 AND 1)"
NUMBERS = {"integer", "real"}

# For columns whose values are all of one kind, by a word in the declared type: the type in
# PostgreSQL, and what must be true of each value. The first one that fits.
BY_DECLARATION = {
    "integer": (("BOOL", "bool", IS_ZERO_OR_ONE),),
    "text": (
        ("DATETIME", "timestamptz", f"({IS_TIME})"),
        ("TIMESTAMP", "timestamptz", f"({IS_TIME})"),
        ("DATE", "date", IS_DATE),
        # Keeps the text as it is written.
        ("JSON", "json", "json_valid({0})"),
    ),
}
BY_KIND = {"integer": "int8", "real": "float8", "text": "text", "blob": "bytea"}
# Of columns that hold nothing.
BY_AFFINITY = {
    "INTEGER": "int8",
    "TEXT": "text",
    "BLOB": "bytea",
    "REAL": "float8",
    "NUMERIC": "numeric",
}


def columns(
    connection: sqlite3.Connection, table: catalogue.Table, chosen: Sequence[catalogue.Column]
) -> tuple[target.Column, ...]:
    """A column for each of `chosen`, that holds each of its values, all of them nullable.

    Numbers among texts become text, and numbers of both kinds numeric; texts among blobs become
    their bytes. The comment on the table that is made has the types as they were.
    """
    if not chosen:
        return ()
    facts = _facts(connection, table, chosen)
    names = _names([one.name for one in chosen])
    return tuple(
        target.Column(name=name, type=_type(connection, table, column, *kinds), nullable=True)
        for name, column, kinds in zip(names, chosen, facts, strict=True)
    )


def short(name: str, taken: set[str]) -> str:
    """A name that PostgreSQL takes whole, unlike any of `taken`."""
    made, number = _cut(name, ""), 0
    while made in taken:
        number += 1
        made = _cut(name, f"_{number}")
    return made


def comments(found: catalogue.Catalogue, plan: Plan) -> dict[str, str]:
    """What the tables that are kept were in the file, as SQL."""
    whole = {
        move.source for move in plan.moves if move.is_kept and len(plan.of_source(move.source)) == 1
    }
    texts = {}
    for table in found.tables:
        statements = [table.sql, *(one.sql for one in table.indexes if one.sql)]
        lacking = f'-- columns of "{table.name}" that the target lacks\n'
        texts[table.name] = ("" if table.name in whole else lacking) + ";\n".join(statements)
    return texts


def _cut(name: str, ending: str) -> str:
    # SQLite takes a name of no letters as well.
    name = name or "unnamed"
    room = LONGEST_NAME - len(ending)
    return name.encode()[:room].decode(errors="ignore") + ending


def _names(wanted: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in wanted:
        found.append(short(name, SYSTEM_COLUMNS.union(found)))
    return found


def _facts(
    connection: sqlite3.Connection, table: catalogue.Table, chosen: Sequence[catalogue.Column]
) -> list[tuple[str | None, str | None]]:
    """Of each column the first and the last kind of its values, in the order of the alphabet."""
    found: list[str | None] = []
    # SQLite takes 2,000 expressions in a statement.
    for at in range(0, len(chosen), 500):
        kinds = ", ".join(
            f"min(nullif(typeof({quoted(one.name)}), 'null')),"
            f" max(nullif(typeof({quoted(one.name)}), 'null'))"
            for one in chosen[at : at + 500]
        )
        statement = f"SELECT {kinds} FROM {quoted(table.name)} NOT INDEXED"  # noqa: S608
        found += [_word(one) for one in connection.execute(statement).fetchone()]
    return list(zip(found[::2], found[1::2], strict=True))


def _word(value: str | bytes | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


def _type(
    connection: sqlite3.Connection,
    table: catalogue.Table,
    column: catalogue.Column,
    first: str | None,
    last: str | None,
) -> str:
    if first is None or last is None:
        return BY_AFFINITY[column.affinity]
    if first == last:
        return _uniform(connection, table, column, first)
    if {first, last} <= NUMBERS:
        return "numeric"
    return "bytea" if first == "blob" else "text"


def _uniform(
    connection: sqlite3.Connection, table: catalogue.Table, column: catalogue.Column, kind: str
) -> str:
    for word, type_name, condition in BY_DECLARATION.get(kind, ()):
        if word in column.declared.upper():
            name = quoted(column.name)
            wrong = f"{name} IS NOT NULL AND NOT {condition.format(name)}"
            statement = f"SELECT EXISTS (SELECT 1 FROM {quoted(table.name)} WHERE {wrong})"  # noqa: S608
            if not connection.execute(statement).fetchone()[0]:
                return type_name
            break
    return BY_KIND[kind]
