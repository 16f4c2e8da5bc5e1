"""Whatever a file holds, each row is in the target exactly, or in quarantine whole."""

import json
import math
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests import imports
from tests.imports import Import
from tests.servers import Servers

Value = int | float | str | bytes | None
START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Column:
    """`unique` and `parent`, the number of a table before, make the server refuse rows."""

    kind: str
    needed: bool
    unique: bool
    parent: int | None


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    without_rowid: bool
    typed: bool
    rows: tuple[tuple[Value, ...], ...]


# By type of the target: the type that the file may declare.
DECLARED = {
    "int2": "SMALLINT",
    "int4": "INT",
    "int8": "BIGINT",
    "bool": "BOOLEAN",
    "float8": "REAL",
    "text": "TEXT",
    "varchar(4)": "VARCHAR(4)",
    "bytea": "BLOB",
    "timestamptz": "DATETIME",
    "date": "DATE",
    "numeric": "NUMERIC",
    "jsonb": "JSON",
    "json": "JSON",
    "uuid": "TEXT",
    "numeric(6,2)": "DECIMAL(6,2)",
    "float4": "FLOAT",
}


def moment(text: str) -> datetime:
    made = datetime.fromisoformat(text)
    return made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC)


def same_number(value: Any, shown: str) -> bool:
    return Decimal(str(value).strip()) == Decimal(shown)


def same_truth(value: Any, shown: str) -> bool:
    words = {"true": {"1", "t", "true"}, "false": {"0", "-0", "f", "false"}}
    return str(value).lower().removesuffix(".0") in words[shown]


def same_float(value: Any, shown: str) -> bool:
    """The two zeros are two."""
    before, after = float(value), float(shown)
    return before == after and math.copysign(1, before) == math.copysign(1, after)


def same_bytes(value: Any, shown: str) -> bool:
    raw = value.encode() if isinstance(value, str) else value
    return bool(raw == bytes.fromhex(shown.removeprefix("\\x")))


def same_moment(value: Any, shown: str) -> bool:
    if isinstance(value, str):
        return moment(value.replace(" +", "+").replace(" -", "-")) == moment(shown)
    unit = 1 if value < 1e11 else 1000
    microseconds = Decimal(repr(value)) * 1_000_000 / unit
    return START + timedelta(microseconds=int(microseconds)) == moment(shown)


def same_document(value: Any, shown: str) -> bool:
    return bool(exactly(value) == exactly(shown))


def same_source(value: Any, shown: str) -> bool:
    """`json` keeps a text as it is written; a number has no writing of its own in the file."""
    return same_text(value, shown) if isinstance(value, str) else same_document(value, shown)


def same_uuid(value: Any, shown: str) -> bool:
    return bool(value.replace("-", "").lower() == shown.replace("-", ""))


def same_text(value: Any, shown: str) -> bool:
    return bool(as_text(value) == shown)


# Whether what the server shows is what the file's value means, by the test's own reading.
MEANS: dict[str, Callable[[Any, str], bool]] = {
    **dict.fromkeys(("int2", "int4", "int8", "numeric", "numeric(6,2)"), same_number),
    **dict.fromkeys(("float4", "float8"), same_float),
    **dict.fromkeys(("timestamptz", "date"), same_moment),
    **dict.fromkeys(("text", "varchar(4)"), same_text),
    "bool": same_truth,
    "bytea": same_bytes,
    "json": same_source,
    "jsonb": same_document,
    "uuid": same_uuid,
}


def exactly(value: Any) -> Any:
    text = value if isinstance(value, str) else repr(value)
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def as_text(value: Value) -> Any:
    if isinstance(value, float):
        with closing(sqlite3.connect(":memory:")) as connection:
            return connection.execute("SELECT CAST(? AS TEXT)", (value,)).fetchone()[0]
    return str(value) if isinstance(value, int) else value


MOMENTS = st.builds(
    lambda made, separator, zone: made.isoformat(separator) + zone,
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001
    st.sampled_from(" T"),
    st.sampled_from(["", "", "", "Z", "+08:00", "-03:30"]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=5,
)
DOCUMENTS = st.builds(
    lambda made, is_ascii: json.dumps(made, ensure_ascii=is_ascii), JSON, st.booleans()
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SMALL = st.integers(-3, 5)
ANYTHING: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    SMALL,
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**15, 2**31, 2**53 + 1, 1_700_000_000, 1_700_000_000_123, -0.0, 1e300, 0.1]),
    st.floats(allow_nan=False),
    TEXTS,
    st.sampled_from(
        ["", "0", "1", "t", "now", "1.5", " 7", "007", "NaN", "2026-02-30", "a\0b", "{}"]
    ),
    st.binary(max_size=4),
    MOMENTS,
    DOCUMENTS,
)
CLEAN: dict[str, st.SearchStrategy[Value]] = {
    "int2": st.integers(-(2**15), 2**15 - 1) | SMALL,
    "int4": st.integers(-(2**31), 2**31 - 1) | SMALL,
    "int8": st.integers(-(2**63), 2**63 - 1) | SMALL,
    "bool": st.integers(0, 1),
    "float8": st.floats(allow_nan=False),
    "float4": st.floats(width=16, allow_nan=False),
    "text": TEXTS,
    "varchar(4)": st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    "bytea": st.binary(max_size=6),
    "timestamptz": MOMENTS,
    "date": st.dates().map(str),
    "numeric": st.decimals(-1000, 1000, places=3).map(str) | st.integers(-(2**60), 2**60),
    "numeric(6,2)": st.decimals(-9999, 9999, places=2).map(str),
    "jsonb": DOCUMENTS,
    "json": DOCUMENTS,
    "uuid": st.uuids().map(str),
}


@st.composite
def tables(draw: st.DrawFn, number: int, is_clean: bool) -> Table:
    columns = [
        Column(
            kind=draw(st.sampled_from(sorted(DECLARED))),
            needed=draw(st.integers(0, 5)) == 0,
            unique=False,
            parent=None,
        )
        for _ in range(draw(st.integers(1, 5)))
    ]
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["int4", "text", "varchar(4)", "float8", "timestamptz"]))
        columns.append(Column(kind, False, True, None))
    columns.append(Column("int8", False, False, draw(st.sampled_from([None, *range(number + 1)]))))
    values = [
        CLEAN[one.kind] | (st.none() if draw(st.booleans()) else CLEAN[one.kind])
        if is_clean
        else ANYTHING | CLEAN[one.kind]
        for one in columns[:-1]
    ]
    keys = draw(st.lists(st.integers(0, 30) | SMALL, unique=True, max_size=12))
    reference: st.SearchStrategy[Value] = st.one_of(st.none(), st.sampled_from(keys or [1]), SMALL)
    if not is_clean:
        reference = st.one_of(reference, ANYTHING)
    rows = tuple((key, *draw(st.tuples(*values, reference))) for key in keys)
    return Table(tuple(columns), draw(st.booleans()), draw(st.booleans()), rows)


@st.composite
def schemas(draw: st.DrawFn, is_clean: bool) -> list[Table]:
    return [draw(tables(at, is_clean)) for at in range(draw(st.integers(3, 6)))]


@pytest.fixture(scope="module")
def made(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path_factory.mktemp("trips")) as prepared:
        yield prepared


def fill(made: Import, schema: Sequence[Table]) -> None:
    folder = made.options.source.parent
    shutil.rmtree(folder)
    folder.mkdir()
    made.on_server(
        "DROP SCHEMA IF EXISTS legacy CASCADE", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"
    )
    for at, table in enumerate(schema):
        theirs, ours = ["id int8 PRIMARY KEY"], ["id INTEGER PRIMARY KEY"]
        for number, column in enumerate(table.columns):
            rest = " NOT NULL" * column.needed + " UNIQUE" * column.unique
            if column.parent is not None:
                rest += f" REFERENCES t{column.parent}"
            theirs.append(f"c{number} {column.kind}{rest}")
            ours.append(f"c{number} {DECLARED[column.kind] if table.typed else ''}")
        made.on_server(f"CREATE TABLE t{at} ({', '.join(theirs)})")
        ending = " WITHOUT ROWID" if table.without_rowid else ""
        made.on_file(f"CREATE TABLE t{at} ({', '.join(ours)}){ending}")
        made.put(f"t{at}", *table.rows)


def check(made: Import, schema: Sequence[Table]) -> None:
    report = made.run()
    assert report.proof
    assert report.proof.problems == ()
    refused = 0
    for at, table in enumerate(schema):
        refused += check_table(made, f"t{at}", table)
    assert report.quarantined_total == refused
    assert report.exit_code == (3 if refused else 0)
    assert report.rows_read == sum(len(table.rows) for table in schema)


def check_table(made: Import, name: str, table: Table) -> int:
    """Against what SQLite itself says now, as its affinities may have changed what was put."""
    with closing(sqlite3.connect(made.options.source)) as connection:
        before = {row[0]: row for row in connection.execute(f"SELECT * FROM {name}")}
    names = ["id", *(f"c{number}" for number in range(len(table.columns)))]
    shown = ", ".join(f"{one}::text" for one in names)
    after = {int(row[0]): row for row in made.select(f"SELECT {shown} FROM {name}")}
    quarantined: dict[int, dict[str, tuple[str, bytes | None]]] = {}
    for _, column, kind, raw, key in made.select(QUARANTINED, (name,)):
        quarantined.setdefault(int(key), {})[column] = (kind, raw)
    assert not after.keys() & quarantined.keys()
    assert after.keys() | quarantined.keys() == before.keys()
    for key, row in after.items():
        for column, value, text in zip(table.columns, before[key][1:], row[1:], strict=True):
            if value is None or text is None:
                assert value is text
            else:
                assert MEANS[column.kind](value, text), (column, value, text)
    for key, values in quarantined.items():
        assert values == {one: kept(value) for one, value in zip(names, before[key], strict=True)}
    return len(quarantined)


QUARANTINED = """
SELECT q.id, v.column_name, v.type, v.value, q.source_key ->> 'id'
FROM legacy.import_quarantine q JOIN legacy.import_quarantine_values v ON v.quarantine_id = q.id
WHERE source_table = %s
"""


def kept(value: Value) -> tuple[str, bytes | None]:
    if value is None:
        return "null", None
    if isinstance(value, bytes):
        return "blob", value
    if isinstance(value, str):
        return "text", value.encode()
    return ("integer" if isinstance(value, int) else "real"), repr(value).encode()


SMALL_PART = examples(max_examples=5, suppress_health_check=list(HealthCheck))


@SMALL_PART
@given(schemas(is_clean=True))
def test_values_of_their_types_arrive(made: Import, schema: list[Table]) -> None:
    fill(made, schema)
    check(made, schema)


@SMALL_PART
@given(schemas(is_clean=False))
def test_anything_arrives_or_is_in_quarantine(made: Import, schema: list[Table]) -> None:
    fill(made, schema)
    check(made, schema)
