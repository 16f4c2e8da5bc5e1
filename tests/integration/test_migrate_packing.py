"""The fast way of rows from SQLite to PostgreSQL changes nothing, and takes nothing unfit."""

import io
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from psycopg2 import DataError, sql
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
    short varchar(3), bytes bytea, moment timestamptz, naive timestamp, needed int4 NOT NULL,
    wide varchar(5000), whole timestamptz(0), document jsonb, kept json
)
"""
NAMES = [
    *("id", 'Sm"all', "int", "big", "real", "flag", "words", "short", "bytes", "moment", "naive"),
    *("needed", "wide", "whole", "document", "kept"),
]


@pytest.fixture(scope="module")
def cursor(servers: Servers) -> Iterator[Cursor]:
    with (
        databases.on_server(servers, databases.BARE) as name,
        databases.superuser(servers, name) as connection,
        closing(connection.cursor()) as made,
    ):
        made.execute("SET TimeZone TO 'Asia/Shanghai'")
        made.execute(DDL)
        yield made


@pytest.fixture(scope="module")
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


def fit(source: sqlite3.Connection, packed: Packing) -> list[tuple[Any, ...]]:
    """The rows that may take the fast way, as `pack` takes them."""
    found = source.execute(
        f"SELECT {packed.select}, id FROM t WHERE NOT {packed.refused} ORDER BY id"
    )
    rest = source.execute(f"SELECT id FROM t WHERE {packed.refused}").fetchall()
    fitting = []
    for row in found:
        try:
            packed.pack([row])
        except packing.ODD:
            rest.append((row[-1],))
        else:
            fitting.append(row)
    # Each row goes one way.
    assert not {row[-1] for row in fitting} & {number for (number,) in rest}
    ((count,),) = source.execute("SELECT count(*) FROM t").fetchall()
    assert len(rest) + len(fitting) == count
    return fitting


def load(source: sqlite3.Connection, cursor: Cursor, packed: Packing) -> list[tuple[Any, ...]]:
    cursor.execute("TRUNCATE t")
    copy(cursor, packed.pack(fit(source, packed)))
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
    return [row[at] for row in load(source, cursor, packed)]


SAME: Sequence[tuple[str, Any]] = [
    *(("int", value) for value in (0, -1, 2**31 - 1, -(2**31), None)),
    *(('Sm"all', value) for value in (2**15 - 1, -(2**15))),
    *(("big", value) for value in (2**63 - 1, -(2**63))),
    *(("real", value) for value in (0.1, -0.0, 1e308, 5e-324, float("inf"), -float("inf"))),
    *(("words", value) for value in ("", "水循环 👩‍👩‍👧", "\\N", 'a"b\n\t\\', "x" * 100_000)),
    *(("words", value) for value in ("x" * 4095, "x" * 4096)),
    *(("short", value) for value in ("", "水", "ab ", None)),
    *(("wide", value) for value in ("水" * 5000, "x" * 4999 + " ")),
]
UNFIT: Sequence[tuple[str, Any]] = [
    *(("int", value) for value in (2**31, -(2**31) - 1, 0.5, "1", "", b"1", float("inf"))),
    *(('Sm"all', value) for value in (2**15, -(2**15) - 1)),
    *(("big", value) for value in ("9", b"", 1.5)),
    *(("real", value) for value in (1, "0.5", "", b"")),
    *(("flag", value) for value in (2, -1, "t", "true", "", b"1", 0.5)),
    *(("words", value) for value in (5, 0.5, b"bytes", b"", "x" * 100_001)),
    # In bytes they are too long, and how many characters they have others must count.
    *(("short", value) for value in ("abcd", "水循环", "abc\0", "abc ", 1, b"a")),
    *(("wide", value) for value in ("x" * 5000 + " ", "水" * 5001, b"a", 1)),
    *(("bytes", value) for value in (1, 0.5, b"x" * 400_001)),
    *(("needed", value) for value in (None, "1")),
    *(
        ("document", value)
        for value in ('{"a": 1, "a": 1}', '[{"a": 1, "\\u0061": 2}]', "", "{", 1)
    ),
    *(("document", value) for value in ("\u00a01", b"{}", 0.5, "[" * 9000 + "]" * 9000)),
    *(("kept", value) for value in (1, b"{}", "1" * 100_001)),
    *(("whole", value) for value in ("2026-01-01 00:00:00.500000", "2026-01-01 00:00:00.000000")),
    *(
        ("moment", value)
        for value in (
            *("now", "yesterday", "", "2026-02-30 00:00:00", "2026-13-01 00:00:00"),
            *("0000-00-00 00:00:00", "2026-01-01", "2026-01-01 24:00:00", "2026-01-01 23:59:60"),
            *("2026-01-01T00:00:00Z", "2026-01-01 00:00:00+08:00", "2026-01-01 00:00:00.123"),
            *("2026-01-01 00:00:00.12345a", "2026-01-01 00:00:00.1234567", 1_767_225_600, 0.5),
            *("2026-01-01 00:00:00 123456", "+026-01-01 00:00:00", "２026-01-01 00:00:00"),
            *("2026-01-01 00:00:00\0", "2026-1-01 00:00:000", b"2026-01-01 00:00:00"),
            *(
                "2026-01-01t00:00:00",
                "2026-W01-1 00:00:00",
                "2026-01-01 00.00.00",
                "2026-01-01 0:000:00",
            ),
            *("2026-01-01 00:00:00.-12345", "2026-01-01 00:60:00", "2026/01/01 00:00:00"),
        )
    ),
]
# What packing has no eye for, and the server has.
BAD: Sequence[tuple[str, Any]] = [
    ("words", "a\0b"),
    ("wide", "\0"),
    ("kept", "NaN"),
    ("kept", "{"),
    ("kept", ""),
    ("document", "[Infinity]"),
    ("document", '"\\u0000"'),
    ("document", '"\\ud800"'),
    ("document", "1e200000"),
    ("document", "[1e-20000]"),
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
    assert [row[-1] for row in fit(source, packed)] == [0, 2]


@pytest.mark.parametrize(("name", "value"), BAD, ids=label)
def test_what_only_the_server_finds_it_refuses(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing, name: str, value: Any
) -> None:
    put(source, {name: value})
    (row,) = fit(source, packed)
    with pytest.raises(DataError):
        copy(cursor, packed.pack([row]))


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
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.binary(max_size=5),
)


@examples(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(VALUES, min_size=13, max_size=13), min_size=1, max_size=30))
def test_whatever_the_values_are_nothing_is_changed_on_the_fast_way(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing, rows: list[list[Any]]
) -> None:
    put(source, *(dict(zip(NAMES[1:14], row, strict=True)) for row in rows))
    chosen = [row[-1] for row in fit(source, packed)]
    found = load(source, cursor, packed)
    assert [row[0] for row in found] == chosen
    for number, *values in found:
        for name, before, after in zip(NAMES[1:14], rows[number], values[:13], strict=True):
            if name == "bytes" and isinstance(before, str):
                before = before.encode()
            assert (bytes(after) if isinstance(after, memoryview) else after) == before


DOCUMENTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


def exactly(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@examples(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(DOCUMENTS, st.booleans()), min_size=1, max_size=10))
def test_documents_say_the_same_afterwards(
    source: sqlite3.Connection,
    cursor: Cursor,
    packed: Packing,
    documents: list[tuple[Any, bool]],
) -> None:
    texts = [json.dumps(document, ensure_ascii=is_ascii) for document, is_ascii in documents]
    texts = [
        text for text in texts if "\\u0000" not in text and not re.search(r"\\ud[89a-f]", text)
    ]
    put(source, *({"document": text, "kept": text} for text in texts))
    load(source, cursor, packed)
    cursor.execute("SELECT document::text, kept::text FROM t ORDER BY id")
    for text, (document, kept) in zip(texts, cursor.fetchall(), strict=True):
        assert (exactly(document), kept) == (exactly(text), text)


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text('ab{}[]:,"\\\\u061 ', max_size=25)), max_size=5))
def test_what_is_no_document_never_arrives(
    source: sqlite3.Connection, packed: Packing, texts: list[tuple[str]]
) -> None:
    def require_different(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    put(source, *({"document": text} for (text,) in texts))
    for row in fit(source, packed):
        (text,) = texts[row[-1]]
        json.loads(text, object_pairs_hook=require_different)


def test_numbers_are_packed_again_when_too_many_are_kept(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "REMEMBERED", 3)
    put(
        source,
        *({"int": at % 7, "moment": f"2026-01-{at % 9 + 1:02d} 00:00:00"} for at in range(50)),
    )
    at = NAMES.index("int")
    assert [row[at] for row in load(source, cursor, packed)] == [at % 7 for at in range(50)]


def test_a_text_that_is_not_utf8_is_refused_by_the_server(
    source: sqlite3.Connection, cursor: Cursor, packed: Packing
) -> None:
    # The halves of one character, one after the other.
    put(source, {"words": "a", "short": "b"})
    source.execute("UPDATE t SET words = CAST(x'61e6b0' AS TEXT), short = CAST(x'b4' AS TEXT)")
    rows = source.execute(f"SELECT {packed.select}, id FROM t").fetchall()
    with pytest.raises(CharacterNotInRepertoire):
        copy(cursor, packed.pack(rows))


def test_other_types_have_no_fast_way(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE o (a inet, b numeric, c char(2), d date, e uuid, f float4,"
        " g int GENERATED ALWAYS AS (1) STORED)"
    )
    columns = target.catalogue(cursor).tables["o"].columns
    assert not any(packing.can_pack(column) for column in columns)
    with pytest.raises(KeyError):
        packing.of([("a", columns[0])])


def test_a_row_of_nothing_but_nulls(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE n (alone int)")
    packed = packing.of([("alone", target.catalogue(cursor).tables["n"].columns[0])])
    stream = io.BytesIO(packing.HEADER + packed.pack([(None, 1), (7, 2)]) + packing.TRAILER)
    into = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier("n"))
    cursor.copy_expert(into, stream)
    cursor.execute("SELECT alone FROM n")
    assert cursor.fetchall() == [(None,), (7,)]
