"""What a PostgreSQL schema consists of, as its own catalog says."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.errors import Conflict

ConstraintType = Literal["primary key", "unique", "foreign key", "check", "exclusion"]

CONSTRAINT_TYPES: dict[str, ConstraintType] = {
    "p": "primary key",
    "u": "unique",
    "f": "foreign key",
    "c": "check",
    "x": "exclusion",
}

COLUMNS = """
SELECT c.oid, c.relname, a.attname, base.typname, base.typtype,
    coalesce(nullif(a.atttypmod, -1), nullif(t.typtypmod, -1)) AS modifier,
    a.attnotnull OR t.typnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity,
    ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = base.oid ORDER BY enumsortorder),
    format_type(base.oid, coalesce(nullif(a.atttypmod, -1), t.typtypmod))
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
"""

CONSTRAINTS = """
SELECT c.relname, k.conname, k.contype, pg_get_constraintdef(k.oid),
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS key (number, at)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = key.number ORDER BY key.at),
    other.relname,
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS key (number, at)
        JOIN pg_attribute a ON a.attrelid = other.oid AND a.attnum = key.number ORDER BY key.at),
    k.convalidated,
    CASE WHEN k.contype IN ('p', 'u') THEN pg_get_indexdef(k.conindid, 0, true) END
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_class other ON other.oid = k.confrelid
WHERE c.relnamespace = %s::regnamespace AND NOT c.relispartition
    AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.conparentid = 0
ORDER BY c.relname, k.conname
"""

INDEXES = """
SELECT c.relname, i.relname, pg_get_indexdef(i.oid, 0, true), x.indisunique, x.indisvalid
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class c ON c.oid = x.indrelid
WHERE c.relnamespace = %s::regnamespace AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM pg_constraint k
        WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
ORDER BY c.relname, i.relname
"""

# Of a serial column ('a') and of an identity ('i').
SEQUENCES = """
SELECT c.relname, a.attname, n.nspname, q.relname, s.seqincrement, s.seqmin, s.seqmax
FROM pg_depend d
JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
JOIN pg_namespace n ON n.oid = q.relnamespace
JOIN pg_sequence s ON s.seqrelid = q.oid
JOIN pg_class c ON c.oid = d.refobjid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i') AND c.relnamespace = %s::regnamespace
ORDER BY c.relname, a.attname
"""

# What goes with a constraint or index and must be said again after it was made anew.
AFTERWARDS = """
SELECT c.relname, what.statement
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT format('COMMENT ON CONSTRAINT %%I ON %%I.%%I IS %%L',
        k.conname, n.nspname, c.relname, obj_description(k.oid, 'pg_constraint'))
    FROM pg_constraint k
    WHERE k.conrelid = c.oid AND obj_description(k.oid, 'pg_constraint') IS NOT NULL
    UNION ALL
    SELECT format(said.form, n.nspname, i.relname, obj_description(i.oid, 'pg_class'), c.relname)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    CROSS JOIN (VALUES
        ('COMMENT ON INDEX %%1$I.%%2$I IS %%3$L', 'comment'),
        ('ALTER TABLE %%1$I.%%4$I REPLICA IDENTITY USING INDEX %%2$I', 'replica'),
        ('ALTER TABLE %%1$I.%%4$I CLUSTER ON %%2$I', 'cluster')) AS said (form, kind)
    WHERE x.indrelid = c.oid AND CASE said.kind WHEN 'replica' THEN x.indisreplident
        WHEN 'cluster' THEN x.indisclustered
        ELSE obj_description(i.oid, 'pg_class') IS NOT NULL END
) AS what (statement)
WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, what.statement
"""

TRIGGERS = """
SELECT c.relname, t.tgname, t.tgenabled
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = %s::regnamespace AND NOT t.tgisinternal AND NOT c.relispartition
ORDER BY c.relname, t.tgname
"""

TIMES = {"time", "timestamp", "timestamptz"}
# The four bytes of a length that varlena types store in the modifier.
HEADER = 4


class SchemaEmpty(Conflict):
    """The target has no tables."""


@dataclass(frozen=True)
class Column:
    """`type` is the catalog's name of it, as int4 or varchar; of a domain, that of its base."""

    name: str
    type: str
    nullable: bool
    # Characters of varchar and char.
    length: int | None = None
    # Digits of numeric, and of a time after its seconds.
    precision: int | None = None
    scale: int | None = None
    # The expression.
    default: str | None = None
    is_generated: bool = False
    identity: Literal["", "always", "by default"] = ""
    # Of an enumeration.
    labels: tuple[str, ...] = ()
    # As SQL names the type, with all that limits it.
    declared: str = ""


@dataclass(frozen=True)
class Constraint:
    name: str
    type: ConstraintType
    columns: tuple[str, ...]
    definition: str
    # Of a foreign key: the table and its columns.
    refers_to: str | None
    referred: tuple[str, ...]
    is_validated: bool
    # The statement that makes the index of a primary key or unique constraint.
    index: str | None = None


@dataclass(frozen=True)
class Index:
    """One that no constraint has made."""

    name: str
    definition: str
    is_unique: bool
    is_valid: bool


@dataclass(frozen=True)
class Sequence:
    """What numbers a column."""

    column: str
    schema: str
    name: str
    increment: int
    least: int
    most: int


@dataclass(frozen=True)
class Trigger:
    """`mode` is the catalog's letter for when it runs: O as made, D never, R and A for replicas."""

    name: str
    mode: str


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    indexes: tuple[Index, ...]
    sequences: tuple[Sequence, ...]
    # Statements: comments on constraints and indexes, and what an index serves for beside finding
    # rows.
    afterwards: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Empty without one."""
        keys = (one.columns for one in self.constraints if one.type == "primary key")
        return next(keys, ())

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(one for one in self.constraints if one.type == "foreign key")

    @property
    def checks(self) -> tuple[Constraint, ...]:
        return tuple(one for one in self.constraints if one.type == "check")


@dataclass(frozen=True)
class Catalogue:
    schema: str
    tables: dict[str, Table]


def catalogue(cursor: Cursor, schema: str = "public") -> Catalogue:
    """The tables of a schema; partitioned ones count as one table, views don't count.

    Definitions name tables without their schema when it is in the session's search_path.
    """
    columns: dict[str, list[Column]] = {}
    for row in _rows(cursor, COLUMNS, schema):
        columns.setdefault(row[1], []).append(_column(*row[2:]))
    constraints = _grouped(_rows(cursor, CONSTRAINTS, schema), _constraint)
    indexes = _grouped(_rows(cursor, INDEXES, schema), Index)
    sequences = _grouped(_rows(cursor, SEQUENCES, schema), Sequence)
    afterwards = _grouped(_rows(cursor, AFTERWARDS, schema), str)
    triggers = _grouped(_rows(cursor, TRIGGERS, schema), Trigger)
    tables = {
        name: Table(
            name=name,
            columns=tuple(columns[name]),
            constraints=constraints.get(name, ()),
            indexes=indexes.get(name, ()),
            sequences=sequences.get(name, ()),
            afterwards=afterwards.get(name, ()),
            triggers=triggers.get(name, ()),
        )
        for name in columns
    }
    return Catalogue(schema, tables)


def require(cursor: Cursor, schema: str) -> Catalogue:
    """Raises SchemaEmpty."""
    found = catalogue(cursor, schema)
    if not found.tables:
        raise SchemaEmpty(
            f"schema {schema} of the target has no tables; prepare it first "
            f"(`mindgraph init-db`), or leave --no-init away"
        )
    return found


def count_rows(cursor: Cursor, found: Catalogue) -> dict[str, int]:
    """How many rows each table has, of those that have any."""
    counts = {}
    for name in found.tables:
        table = sql.Identifier(found.schema, name)
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(table))
        ((counts[name],),) = cursor.fetchall()
    return {name: count for name, count in counts.items() if count}


def in_load_order(found: Catalogue) -> list[tuple[str, ...]]:
    """The tables in groups, each after those that it refers to.

    A group of several is a circle: each of them refers, by way of others, to itself. A table that
    refers to nothing but itself is alone.
    """
    left = {
        name: {str(key.refers_to) for key in table.foreign_keys} & found.tables.keys() - {name}
        for name, table in found.tables.items()
    }
    groups: list[tuple[str, ...]] = []
    while left:
        free = sorted(name for name, needed in left.items() if not needed & left.keys())
        chosen: list[tuple[str, ...]] = [(name,) for name in free]
        chosen = chosen or [_circle(left)]
        groups += chosen
        for group in chosen:
            for name in group:
                del left[name]
    return groups


def _circle(left: dict[str, set[str]]) -> tuple[str, ...]:
    """One that refers to nothing outside of it, where every table refers to another."""
    reached = {name: _reachable(left, name) for name in left}
    smallest = min(len(names) for names in reached.values())
    return min(tuple(sorted(names)) for names in reached.values() if len(names) == smallest)


def _reachable(left: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in left[waiting.pop()] & left.keys() - found:
            found.add(name)
            waiting.append(name)
    return found


def _rows(cursor: Cursor, statement: str, schema: str) -> list[tuple[Any, ...]]:
    # Folded to lower case otherwise.
    cursor.execute(statement, (sql.Identifier(schema).as_string(cursor),))
    return cursor.fetchall()


def _grouped(rows: Iterable[tuple[Any, ...]], make: Any) -> dict[str, tuple[Any, ...]]:
    """What each row makes of all but its first value, the table, by table."""
    found: dict[str, tuple[Any, ...]] = {}
    for table, *values in rows:
        found[table] = (*found.get(table, ()), make(*values))
    return found


def _column(
    name: str,
    type_name: str,
    type_class: str,
    modifier: int | None,
    required: bool,
    expression: str | None,
    generated: str,
    identity: str,
    labels: list[str],
    declared: str,
) -> Column:
    length = modifier - HEADER if modifier and type_name in {"varchar", "bpchar"} else None
    precision, scale = _digits(type_name, modifier)
    return Column(
        name=name,
        type="enum" if type_class == "e" else type_name,
        nullable=not required,
        length=length,
        precision=precision,
        scale=scale,
        default=None if generated else expression,
        is_generated=bool(generated),
        identity={"a": "always", "d": "by default"}.get(identity, ""),  # type: ignore[arg-type]
        labels=tuple(labels),
        declared=declared,
    )


def _digits(type_name: str, modifier: int | None) -> tuple[int | None, int | None]:
    """Precision and scale of a numeric; the scale is a signed number of eleven bits."""
    if type_name in TIMES:
        return modifier, None
    if type_name != "numeric" or not modifier:
        return None, None
    packed = modifier - HEADER
    scale = packed & 0x7FF
    return packed >> 16 & 0xFFFF, scale - 0x800 if scale & 0x400 else scale


def _constraint(
    name: str,
    letter: str,
    definition: str,
    columns: list[str],
    refers_to: str | None,
    referred: list[str],
    validated: bool,
    index: str | None,
) -> Constraint:
    return Constraint(
        name=name,
        type=CONSTRAINT_TYPES[letter],
        columns=tuple(columns),
        definition=definition,
        refers_to=refers_to,
        referred=tuple(referred),
        is_validated=validated,
        index=index,
    )
