"""The fast way of rows from SQLite to PostgreSQL changes nothing, and takes nothing unfit."""

import io
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from psycopg2 import sql
from psycopg2.errors import CharacterNotInRepertoire
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import packing, target
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.packing import Packing
from tests import databases
from tests.servers import Servers

DDL = """
CREATE TABLE t (
    id int8 PRIMARY KEY, "Sm""all" int2, int int4, big int8, real float8, flag bool, words text,
    short varchar(3), bytes bytea, moment timestamptz, naive timestamp, needed int4 NOT NULL
)
"""
NAMES = [
    *("id", 'Sm"all', "int", "big", "real", "flag", "words", "short", "bytes", "moment", "naive"),
    "needed",
]


@pytest.fixture
def cursor(servers: Servers) -> Iterator[Cursor]:
    with (
        databases.on_server(servers, databases.BARE) as name,
        databases.superuser(servers, name) as connection,
        closing(connection.cursor()) as made,
    ):
        made.execute("SET TimeZone TO 'Asia/Shanghai'")
        made.execute(DDL)
        yield made


@pytest.fixture
def packed(cursor: Cursor) -> Packing:
    columns = target.catalogue(cursor).tables["t"].columns
    assert all(packing.can_pack(column) for column in columns)
    return packing.of([(column.name, column) for column in columns])


@pytest.fixture
def source() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.text_factory = bytes
        # Without types, so that everything stays what it is.
        made.execute(f"CREATE TABLE t ({', '.join(map(quoted, NAMES))})")
        yield made


def put(source: sqlite3.Connection, *rows: dict[str, Any]) -> None:
    source.execute("DELETE FROM t")
    marks = ", ".join("?" for _ in NAMES)
    full = [{"id": at, "needed": 1} | row for at, row in enumerate(rows)]
    source.executemany(
        f"INSERT INTO t VALUES ({marks})", [[row.get(name) for name in NAMES] for row in full]
    )


def pack(source: sqlite3.Connection, packed: Packing) -> tuple[bytes, list[int]]:
    """The rows of the fast way as they are copied, and the numbers of those that took it."""
    found = source.execute(
        f"SELECT {packed.select}, id FROM t WHERE NOT {packed.refused} ORDER BY id"
    ).fetchall()
    pieces, numbers = [], []
    for row in found:
        try:
            pieces.append(packed.pack([row]))
        except packing.ODD:
            continue
        numbers.append(row[-1])
    return b"".join(pieces), numbers


def fit(source: sqlite3.Connection, packed: Packing) -> list[int]:
    """The numbers of the rows that may take the fast way."""
    ((refused, count),) = source.execute(
        f"SELECT coalesce(sum({packed.refused}), 0), count({packed.refused}) FROM t"
    ).fetchall()
    # The condition is never NULL.
    assert source.execute("SELECT count(*) FROM t").fetchone() == (count,)
    _, numbers = pack(source, packed)
    assert len(numbers) <= count - refused
    return numbers


def load(source: sqlite3.Connection, cursor: Cursor, packed: Packing) -> list[tuple[Any, ...]]:
    rows, _ = pack(source, packed)
    cursor.execute("TRUNCATE t")
    copy(cursor, rows)
    cursor.execute("SELECT * FROM t ORDER BY id")
    found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def copy(cursor: Cursor, rows: bytes) -> None:
    stream = io.BytesIO(packing.HEADER + rows + packing.TRAILER)
    cursor.copy_expert("COPY t FROM STDIN (FORMAT binary)", stream)


def one(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing, name: str, value: Any
) -> list[Any]:
    """What the target has of the value; nothing where it was not fit."""
    put(source, {name: value})
    at = NAMES.index(name)
    return [row[at] for row in load(source, cursor, packed)] if fit(source, packed) else []


SAME: Sequence[tuple[str, Any]] = [
    *(("int", value) for value in (0, -1, 2**31 - 1, -(2**31), None)),
    *(('Sm"all', value) for value in (2**15 - 1, -(2**15))),
    *(("big", value) for value in (2**63 - 1, -(2**63))),
    *(("real", value) for value in (0.1, -0.0, 1e308, 5e-324, float("inf"), -float("inf"))),
    *(("words", value) for value in ("", "水循环 👩‍👩‍👧", "\\N", 'a"b\n\t\\', "x" * 100_000)),
    *(("short", value) for value in ("", "水", "abc", None)),
]
UNFIT: Sequence[tuple[str, Any]] = [
    *(("int", value) for value in (2**31, -(2**31) - 1, 1.0, "1", "", b"1")),
    *(('Sm"all', value) for value in (2**15, True + 2**15)),
    *(("big", value) for value in (1e18, "9", b"9")),
    *(("real", value) for value in (1, "0.5", "", b"")),
    *(("flag", value) for value in (2, -1, "t", "true", 0.5, "")),
    *(("words", value) for value in (5, 0.5, b"bytes", "x" * 100_001)),
    *(("short", value) for value in ("abcd", "水循环", "abc\0", 1)),
    *(("bytes", value) for value in (1, 0.5, b"x" * 400_001)),
    *(("needed", value) for value in (None, "1")),
    *(
        ("moment", value)
        for value in (
            *("now", "yesterday", "", "2026-02-30 00:00:00", "2026-13-01 00:00:00"),
            *("0000-00-00 00:00:00", "2026-01-01", "2026-01-01 24:00:00", "2026-01-01 23:59:60"),
            *("2026-01-01T00:00:00Z", "2026-01-01 00:00:00+08:00", "2026-01-01 00:00:00.123"),
            *("2026-01-01 00:00:00.12345a", "2026-01-01 00:00:00.1234567", 1_767_225_600, 0.5),
            *("2026-01-01 00:00:00 123456", "+026-01-01 00:00:00", "２026-01-01 00:00:00"),
            *("2026-01-01 00:00:00\0", "2026-1-01 00:00:000", b"2026-01-01 00:00:00"),
        )
    ),
]


def label(case: Any) -> str:
    return repr(case)[:40]


@pytest.mark.parametrize(("name", "value"), SAME, ids=label)
def test_what_is_fit_is_the_same_afterwards(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing, name: str, value: Any
) -> None:
    (found,) = one(source, cursor, packed, name, value)
    assert (found, str(found)) == (value, str(value))


@pytest.mark.parametrize(("name", "value"), UNFIT, ids=label)
def test_what_needs_thought_is_left_to_others(
    source: sqlite3.Connection, packed: Packing, name: str, value: Any
) -> None:
    put(source, {}, {name: value}, {})
    assert fit(source, packed) == [0, 2]


def test_flags_bytes_and_nulls(source: sqlite3.Connection, cursor: Cursor, packed: Packing) -> None:
    put(source, {"flag": 1, "bytes": b"\0\xff"}, {"flag": 0, "bytes": b""}, {})
    rows = load(source, cursor, packed)
    flag, content = NAMES.index("flag"), NAMES.index("bytes")
    found = [(row[flag], row[content] and bytes(row[content])) for row in rows]
    assert found == [(True, b"\0\xff"), (False, b""), (None, None)]


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.datetimes(), st.sampled_from(" T")),
        min_size=1,
        max_size=20,
    )
)
def test_times_are_in_utc_to_the_microsecond(
    source: sqlite3.Connection,
    cursor: Cursor,
    packed: Packing,
    moments: list[tuple[datetime, str]],
) -> None:
    texts = [moment.isoformat(between) for moment, between in moments]
    put(source, *({"moment": text, "naive": text} for text in texts))
    assert len(fit(source, packed)) == len(texts)
    load(source, cursor, packed)
    # Not as objects: those of the driver end with the year 9999 of another zone.
    cursor.execute(
        "SELECT extract(epoch FROM moment), extract(epoch FROM naive) FROM t ORDER BY id"
    )
    start = datetime(1970, 1, 1, tzinfo=UTC)
    for (moment, _), row in zip(moments, cursor.fetchall(), strict=True):
        microseconds = (moment.replace(tzinfo=UTC) - start) // timedelta(microseconds=1)
        assert [int(value * 1_000_000) for value in row] == [microseconds] * 2


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 3),
    st.floats(allow_nan=False),
    # The server refuses U+0000.
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    st.binary(max_size=5),
)


@examples(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(VALUES, min_size=11, max_size=11), min_size=1, max_size=30))
def test_whatever_the_values_are_nothing_is_changed_on_the_fast_way(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing, rows: list[list[Any]]
) -> None:
    put(source, *(dict(zip(NAMES[1:], row, strict=True)) for row in rows))
    chosen = fit(source, packed)
    found = load(source, cursor, packed)
    assert [row[0] for row in found] == chosen
    for number, *values in found:
        for before, after in zip(rows[number], values, strict=True):
            if isinstance(after, memoryview):
                assert bytes(after) == (before.encode() if isinstance(before, str) else before)
            else:
                assert after == before


def test_a_text_that_is_not_utf8_is_refused_by_the_server(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing
) -> None:
    # The halves of one character, one after the other.
    put(source, {"words": "a", "short": "b"})
    source.execute("UPDATE t SET words = CAST(x'61e6b0' AS TEXT), short = CAST(x'b4' AS TEXT)")
    rows, numbers = pack(source, packed)
    assert numbers == [0]
    with pytest.raises(CharacterNotInRepertoire):
        copy(cursor, rows)


def test_a_text_with_nul_is_refused_by_the_server(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing
) -> None:
    put(source, {"words": "a\0b"})
    rows, _ = pack(source, packed)
    with pytest.raises(CharacterNotInRepertoire):
        copy(cursor, rows)


def test_a_text_in_a_column_of_bytes_is_its_bytes(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing
) -> None:
    put(source, {"bytes": "\\x水"})
    (row,) = load(source, cursor, packed)
    assert bytes(row[NAMES.index("bytes")]) == "\\x水".encode()


@pytest.mark.parametrize(
    ("document", "is_fit"),
    [
        ('{"a": 1, "b": [{"a": 2}]}', True),
        ('{"a": 1, "a": 2}', False),
        ('[[{"a": 1, "\\u0061": 1}]]', False),
        ("[" * 100_000, False),
        ("{", False),
    ],
)
def test_json_with_equal_keys_needs_thought(document: str, is_fit: bool) -> None:
    packed = packing.of([("a", target.Column("a", "jsonb", nullable=True))])
    if is_fit:
        assert document.encode() in packed.pack([(document.encode(), 1)])
    else:
        with pytest.raises(packing.ODD):
            packed.pack([(document.encode(), 1)])


def test_other_types_have_no_fast_way(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE o (b numeric, c char(2), d date, e uuid, f float4,"
        " g int GENERATED ALWAYS AS (1) STORED)"
    )
    columns = target.catalogue(cursor).tables["o"].columns
    assert not any(packing.can_pack(column) for column in columns)
    with pytest.raises(KeyError):
        packing.of([("b", columns[0])])


def test_a_row_of_nothing_but_nulls(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE n (alone int)")
    packed = packing.of([("alone", target.catalogue(cursor).tables["n"].columns[0])])
    stream = io.BytesIO(packing.HEADER + packed.pack([(None, 1), (7, 2)]) + packing.TRAILER)
    into = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier("n"))
    cursor.copy_expert(into, stream)
    cursor.execute("SELECT alone FROM n")
    assert cursor.fetchall() == [(None,), (7,)]
