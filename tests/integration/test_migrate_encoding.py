"""The bytes of a value are those that the server itself sends for it."""

import io
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from app.ops.migrate import encoding, packing
from app.ops.migrate.source import InvalidText
from app.ops.migrate.target import Column
from app.ops.migrate.unstorable import Unstorable
from tests import databases
from tests.servers import Servers

# By type: values of a file, and how SQL writes them.
VALUES: list[tuple[str, Any, str]] = [
    *[("bool", value, "true") for value in (1, "t", "TRUE", 1.0)],
    *[("bool", value, "false") for value in (0, "f", -0.0)],
    *[("int2", value, f"'{value}'") for value in (0, -1, 32_767, -32_768)],
    *[("int4", value, f"'{value}'") for value in (0, -1, 2**31 - 1, -(2**31))],
    *[("int8", value, f"'{value}'") for value in (0, -1, 2**63 - 1, -(2**63))],
    *[("float8", value, f"'{value}'") for value in (0.1, -0.0, 5e-324, 1e308, -1.5, 3)],
    *[("float8", value, f"'{value}inity'") for value in (float("inf"), -float("inf"))],
    *[("float4", value, f"'{value}'") for value in (0.1, -0.0, 1.5, 1e10)],
    *[("text", value, f"'{value}'") for value in ("", "水循环 👩‍👩‍👧", "\\N", "a\tb")],
    ("varchar", "水", "'水'"),
    ("bpchar", "水", "'水'"),
    ("bytea", b"\0\xff", "'\\x00ff'"),
    ("bytea", "水", "'\\xe6b0b4'"),
    ("bytea", "", "''"),
    ("bytea", InvalidText(b"\xff"), "'\\xff'"),
    ("json", '{"a":  1}', "'{\"a\":  1}'"),
    ("uuid", "0F8FAD5BD9CB469FA16570867728950E", "'0f8fad5b-d9cb-469f-a165-70867728950e'"),
    *[("date", value, f"'{value}'") for value in ("0001-01-01", "1999-12-31", "9999-12-31")],
    *[("time", value, f"'{value}'") for value in ("00:00", "23:59:59.999999", "12:30:01.5")],
    *[
        (kind, value, f"'{value}'")
        for kind in ("timestamp", "timestamptz")
        for value in ("0001-01-01 00:00:00", "1999-12-31 23:59:59.999999", "9999-12-31 00:00:00")
    ],
    ("timestamptz", "2026-01-02T03:04:05+08:00", "'2026-01-02 03:04:05+08'"),
    ("timestamptz", 1_767_323_045.25, "'2026-01-02 03:04:05.25'"),
    *[("numeric", value, f"'{value}'") for value in ("0", "0.00", "-0.5", "10000", "100000000")],
    *[("numeric", value, f"'{value}'") for value in ("1e20", "1.50e-3", "9999.0001", "7")],
    *[("numeric", value, f"'{value}'") for value in ("0.00000001", "-12345678.90", "1e-16000")],
    ("numeric", "1e131000", "'1e131000'"),
    ("numeric", 19.99, "'19.99'"),
]


@pytest.fixture(scope="module")
def cursor(servers: Servers) -> Iterator[Cursor]:
    with (
        databases.on_server(servers, databases.BARE) as name,
        databases.superuser(servers, name) as connection,
        closing(connection.cursor()) as made,
    ):
        made.execute("SET TimeZone TO 'UTC'")
        yield made


def refuse(_column: Column, _text: str) -> tuple[bytes, str]:
    raise AssertionError("the server is asked only for types that are known to nobody else")


def encoded(kind: str, value: Any) -> bytes | None:
    return encoding.encode(value, Column("a", kind, nullable=True), refuse)


def sent(cursor: Cursor, kind: str, written: str) -> bytes:
    """The server's own bytes of a value."""
    statement = sql.SQL("COPY (SELECT {}::{}) TO STDOUT (FORMAT binary)").format(
        sql.SQL(written), sql.SQL(kind)
    )
    file = io.BytesIO()
    cursor.copy_expert(statement.as_string(cursor), file)
    # One row: how many values it has, and how long the first is.
    return file.getvalue()[len(packing.HEADER) + 6 : -len(packing.TRAILER)]


@pytest.mark.parametrize(("kind", "value", "written"), VALUES, ids=repr)
def test_a_value_has_the_bytes_that_the_server_sends(
    cursor: Cursor, kind: str, value: Any, written: str
) -> None:
    assert encoded(kind, value) == sent(cursor, kind, written)


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        # Sent with its keys in another order.
        ("jsonb", '{"b": [1, null], "a": "水"}', '{"a": "水", "b": [1, null]}'),
        # Sent with digits that it doesn't have.
        ("numeric", float("inf"), "Infinity"),
        ("numeric", -float("inf"), "-Infinity"),
    ],
)
def test_a_value_is_taken_for_what_it_is(
    cursor: Cursor, kind: str, value: Any, written: str
) -> None:
    raw = encoded(kind, value)
    assert raw
    cursor.execute(sql.SQL("CREATE TEMP TABLE taken (a {})").format(sql.SQL(kind)))
    row = packing.HEADER + b"\0\1" + len(raw).to_bytes(4, "big") + raw + packing.TRAILER
    cursor.copy_expert("COPY taken FROM STDIN (FORMAT binary)", io.BytesIO(row))
    cursor.execute("SELECT a::text FROM taken")
    assert cursor.fetchall() == [(written,)]
    cursor.execute("DROP TABLE taken")


NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False)
    .filter(lambda one: abs(one.adjusted()) < 5000 and abs(int(one.as_tuple().exponent)) < 5000)
    .map(str),
    st.decimals(-(10**9), 10**9, places=3).map(str),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


@examples(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NUMBERS)
def test_a_number_has_the_bytes_that_the_server_sends(cursor: Cursor, value: Any) -> None:
    written = value if isinstance(value, str) else repr(value)
    assert encoded("numeric", value) == sent(cursor, "numeric", f"'{written}'")
    # And nothing of it is lost, in the test's own arithmetic.
    cursor.execute("SELECT %s::numeric::text", (written,))
    ((shown,),) = cursor.fetchall()
    assert Decimal(shown) == Decimal(written)


@examples(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.datetimes(), st.dates(), st.times())
def test_times_have_the_bytes_that_the_server_sends(
    cursor: Cursor, moment: datetime, day: date, clock: time
) -> None:
    assert encoded("timestamptz", str(moment)) == sent(cursor, "timestamptz", f"'{moment}'")
    assert encoded("timestamp", str(moment)) == sent(cursor, "timestamp", f"'{moment}'")
    assert encoded("date", str(day)) == sent(cursor, "date", f"'{day}'")
    assert encoded("time", str(clock)) == sent(cursor, "time", f"'{clock}'")


def test_null_is_refused_only_where_a_value_must_be() -> None:
    assert encoded("int4", None) is None
    with pytest.raises(Unstorable, match="NULL in a column that must have a value"):
        encoding.encode(None, Column("a", "int4", nullable=False), refuse)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (Column("a", "text", True), InvalidText(b"\xff"), "not valid in the file's encoding"),
        (Column("a", "enum", True, labels=("x",)), "X", "none of the values that the type has"),
        (Column("a", "enum", True, labels=("x",)), 1, "none of the values that the type has"),
        (Column("a", "timestamptz", True, precision=0), "2026-01-01 00:00:00.5", "more than 0"),
        (Column("a", "time", True, precision=2), "00:00:00.123", "more than 2 digits"),
        (Column("a", "inet", True), "::1/128", "PostgreSQL's inet shows otherwise"),
    ],
)
def test_what_would_be_changed_is_refused(column: Column, value: Any, reason: str) -> None:
    with pytest.raises(Unstorable, match=reason):
        encoding.encode(value, column, lambda _column, _text: (b"", "::1"))


def test_a_label_of_an_enumeration_is_its_text() -> None:
    column = Column("a", "enum", True, labels=("x", "开心"))
    assert encoding.encode("开心", column, refuse) == "开心".encode()


def test_the_bytes_of_other_types_are_the_servers() -> None:
    column = Column("a", "inet", True)
    assert encoding.encode("::1", column, lambda _, text: (b"raw", text)) == b"raw"
