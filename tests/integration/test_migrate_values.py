"""What `convert` gives goes through COPY into a real column and is read from it again."""

import hashlib
import io
import json
import math
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import psycopg2.extensions
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.ops.migrate import nesting
from app.ops.migrate.values import Kind, Unstorable, Value, convert, csv_field
from tests import databases
from tests.servers import Servers

Connection = psycopg2.extensions.connection

TYPES: dict[Kind, str] = {
    "double": "double precision",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
}
KINDS_OF_JSON: list[Kind] = ["json", "jsonb"]
MANY = examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FLOATS = st.floats(allow_nan=False)


@pytest.fixture(scope="module")
def postgresql(servers: Servers) -> Iterator[Connection]:
    with (
        databases.on_server(servers, databases.BARE) as name,
        databases.superuser(servers, name) as connection,
    ):
        yield connection


def stored(
    connection: Connection,
    kind: Kind,
    values: list[Value | None],
    length: int | None = None,
    precision: int | None = None,
    scale: int | None = None,
    shown: str = "value",
) -> list[Any]:
    """What a column of this type holds after COPY, as its text or as `shown` selects it."""
    lines = [csv_field(convert(value, kind, length, precision, scale)) for value in values]
    modifier = ""
    if length is not None:
        modifier = f"({length})"
    if precision is not None:
        modifier = f"({precision}, {scale or 0})"
    with connection.cursor() as cursor:
        # Neither setting of a server or role may change what the texts mean.
        cursor.execute("SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Shanghai'")
        cursor.execute("DROP TABLE IF EXISTS target")
        cursor.execute(f"CREATE TABLE target (at serial, value {TYPES.get(kind, kind)}{modifier})")
        cursor.copy_expert(
            "COPY target (value) FROM STDIN (FORMAT csv, NULL '\\N', ENCODING 'UTF8')",
            io.StringIO("".join(f"{line}\n" for line in lines)),
        )
        cursor.execute("SET datestyle = 'ISO'; SET timezone = 'UTC'")
        cursor.execute(f"SELECT {shown} FROM target ORDER BY at")
        return [value for (value,) in cursor.fetchall()]


def test_booleans_are_stored_as_they_are_meant(postgresql: Connection) -> None:
    values: list[Value | None] = [0, 1, 0.0, 1.0, "T", "f", "TRUE", "false", "0", "1", None]
    wanted = [False, True, False, True, True, False, True, False, False, True, None]
    assert stored(postgresql, "boolean", values) == wanted


@pytest.mark.parametrize(("kind", "bits"), [("smallint", 16), ("integer", 32), ("bigint", 64)])
def test_the_smallest_and_largest_integers_are_stored(
    postgresql: Connection, kind: Kind, bits: int
) -> None:
    limit = 1 << (bits - 1)
    values: list[Value | None] = [-limit, limit - 1, str(-limit), f" +{limit - 1}\n", -3.0, -0.0]
    wanted = [-limit, limit - 1, -limit, limit - 1, -3, 0]
    assert stored(postgresql, kind, values) == wanted


@MANY
@given(numbers=st.lists(FLOATS, min_size=1))
def test_every_float_is_stored_in_a_double(postgresql: Connection, numbers: list[float]) -> None:
    found = stored(postgresql, "double", [*numbers])
    assert [repr(number) for number in found] == [repr(number) for number in numbers]


@MANY
@given(numbers=st.lists(st.floats(width=32, allow_nan=False) | FLOATS, min_size=1))
def test_a_float_that_real_takes_is_shown_as_the_same(
    postgresql: Connection, numbers: list[float]
) -> None:
    taken = [number for number in numbers if is_storable(number, "real")]
    found = stored(postgresql, "real", [*taken], shown="value::text")
    assert [repr(float(number)) for number in found] == [repr(number) for number in taken]


@MANY
@given(
    numbers=st.lists(
        st.decimals(min_value=-(10**6), max_value=10**6, places=4).map(lambda d: float(f"{d}")),
        min_size=1,
    )
)
def test_a_real_takes_every_number_of_six_digits(
    postgresql: Connection, numbers: list[float]
) -> None:
    short = [float(f"{number:.6g}") for number in numbers]
    found = stored(postgresql, "real", [*short], shown="value::text")
    assert [float(number) for number in found] == short


def test_the_limits_of_real_are_those_of_the_server(postgresql: Connection) -> None:
    values: list[Value | None] = [3.4028235e38, 1e-45, -1.1754944e-38, 16777216, math.inf, "0.1"]
    wanted = ["3.4028235e+38", "1e-45", "-1.1754944e-38", "1.6777216e+07", "Infinity", "0.1"]
    assert stored(postgresql, "real", values, shown="value::text") == wanted


@MANY
@given(
    numbers=st.lists(
        st.decimals(allow_nan=False, allow_infinity=False).map(str)
        | st.integers().map(str)
        | FLOATS.filter(math.isfinite),
        min_size=1,
    )
)
def test_every_number_that_numeric_takes_is_the_same(
    postgresql: Connection, numbers: list[str | float]
) -> None:
    taken = [number for number in numbers if is_storable(number, "numeric")]
    found = stored(postgresql, "numeric", [*taken])
    assert found == [Decimal(str(number)) for number in taken]


@MANY
@given(
    numbers=st.lists(st.decimals(-1000, 1000, places=3).map(str), min_size=1),
    size=st.sampled_from([(5, 2), (2, 5), (3, -2), (3, 3), (6, 0), (1000, 3)]),
)
def test_numeric_with_a_precision_rounds_nothing(
    postgresql: Connection, numbers: list[str], size: tuple[int, int]
) -> None:
    precision, scale = size
    taken = [number for number in numbers if is_storable(number, "numeric", None, precision, scale)]
    found = stored(postgresql, "numeric", [*taken], precision=precision, scale=scale)
    assert found == [Decimal(number) for number in taken]


@pytest.mark.parametrize(
    "number", ["9" * 131_072, "1e131071", "1e-16383", "0." + "3" * 16_383, "0e999999", "0.001e9"]
)
def test_the_limits_of_numeric_are_those_of_the_server(postgresql: Connection, number: str) -> None:
    assert stored(postgresql, "numeric", [number]) == [Decimal(number)]


@MANY
@given(texts=st.lists(TEXTS | st.sampled_from(["", "\\N", "\\.", "a\n\\.\nb", '"', "\r\n"])))
def test_every_text_is_stored(postgresql: Connection, texts: list[str]) -> None:
    assert stored(postgresql, "text", [None, *texts]) == [None, *texts]


@MANY
@given(texts=st.lists(TEXTS.map(lambda text: text[:7])))
def test_varchar_and_char_keep_every_character(postgresql: Connection, texts: list[str]) -> None:
    assert stored(postgresql, "varchar", [*texts], length=7) == texts
    plain = [text.rstrip(" ") for text in texts]
    padded = stored(postgresql, "char", [*plain], length=7)
    assert [text.rstrip(" ") for text in padded] == plain


@MANY
@given(numbers=st.lists(FLOATS | st.integers(-(2**63), 2**63 - 1)))
def test_a_number_in_a_column_of_text_is_the_same_number(
    postgresql: Connection, numbers: list[int | float]
) -> None:
    taken = [number for number in numbers if is_storable(number, "text")]
    found = stored(postgresql, "text", [*taken])
    for number, text in zip(taken, found, strict=True):
        assert repr(type(number)(text)) == repr(number)


@MANY
@given(blobs=st.lists(st.binary()))
def test_every_blob_is_stored(postgresql: Connection, blobs: list[bytes]) -> None:
    values: list[Value | None] = [*blobs, "\\x6162", "YWJj", "\0水"]
    wanted = [*blobs, b"\\x6162", b"YWJj", "\0水".encode()]
    found = stored(postgresql, "bytea", values)
    assert [bytes(value) for value in found] == wanted


@MANY
@given(moments=st.lists(st.datetimes(), min_size=1))
def test_every_moment_is_stored(postgresql: Connection, moments: list[datetime]) -> None:
    texts: list[Value | None] = [moment.isoformat() for moment in moments]
    assert stored(postgresql, "timestamp", texts) == moments
    aware = [moment.replace(tzinfo=UTC) for moment in moments]
    assert stored(postgresql, "timestamptz", texts) == aware


def test_an_offset_is_counted(postgresql: Connection) -> None:
    values: list[Value | None] = [
        "2024-03-01T07:30:00.5+08:00",
        "2024-02-29 23:30:00.500000000Z",
        "2024-02-29 18:00:00.5-0530",
        1709249400.5,
        1709249400500,
    ]
    moment = datetime.fromisoformat("2024-02-29 23:30:00.500")
    assert stored(postgresql, "timestamp", values) == [moment] * 5
    assert stored(postgresql, "timestamptz", values) == [moment.replace(tzinfo=UTC)] * 5


@MANY
@given(days=st.lists(st.dates()), clocks=st.lists(st.times()))
def test_every_date_and_time_of_day_is_stored(
    postgresql: Connection, days: list[date], clocks: list[time]
) -> None:
    assert stored(postgresql, "date", [day.isoformat() for day in days]) == days
    assert stored(postgresql, "date", [f"{day} 00:00:00.000" for day in days]) == days
    assert stored(postgresql, "time", [clock.isoformat() for clock in clocks]) == clocks


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@MANY
@given(documents=st.lists(JSON), escaped=st.booleans())
def test_every_document_is_stored(
    postgresql: Connection, documents: list[Any], escaped: bool
) -> None:
    texts = [json.dumps(document, ensure_ascii=escaped) for document in documents]
    assert stored(postgresql, "json", [*texts], shown="value::text") == texts
    found = stored(postgresql, "jsonb", [*texts], shown="value::text")
    for text, kept in zip(texts, found, strict=True):
        assert exactly(kept) == exactly(text)


def exactly(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def test_json_null_is_not_sql_null(postgresql: Connection) -> None:
    for kind in KINDS_OF_JSON:
        found = stored(postgresql, kind, ["null", None, 5, 1e16], shown="value::text")
        assert [text and exactly(text) for text in found] == [None, None, 5, Decimal(10**16)]
        assert [text is None for text in found] == [False, True, False, False]


@pytest.mark.parametrize("kind", KINDS_OF_JSON)
def test_the_deepest_document_is_stored(postgresql: Connection, kind: Kind) -> None:
    half = nesting.MOST_LEVELS // 2
    text = '{"a": [' * half + "1" + "]}" * half
    assert stored(postgresql, kind, [text], shown="value::text") == [text]


def test_json_keeps_what_jsonb_refuses(postgresql: Connection) -> None:
    texts: list[Value | None] = ['{"a": 1, "a": 2}', '"\\u0000"', '"\\ud800"', "1e999999"]
    assert stored(postgresql, "json", texts, shown="value::text") == texts


@MANY
@given(ids=st.lists(st.uuids(allow_nil=True)))
def test_every_uuid_is_stored(postgresql: Connection, ids: list[uuid.UUID]) -> None:
    texts: list[Value | None] = [str(one) for one in ids]
    texts += [one.hex for one in ids]
    texts += [str(one).upper() for one in ids]
    found = stored(postgresql, "uuid", texts, shown="value::text")
    assert found == [str(one) for one in ids] * 3


def test_a_value_of_66_megabytes_is_stored(postgresql: Connection) -> None:
    large = "水墨\n" * (66_000_000 // 7)
    digest = hashlib.md5(large.encode(), usedforsecurity=False).hexdigest()
    assert stored(postgresql, "text", [large], shown="md5(value)") == [digest]
    assert stored(postgresql, "bytea", [large], shown="md5(value)") == [digest]
    document = json.dumps([large], ensure_ascii=False)
    for kind in KINDS_OF_JSON:
        found = stored(postgresql, kind, [document], shown="md5((value::jsonb)->>0)")
        assert found == [digest]


def is_storable(value: Value, kind: Kind, *limits: int | None) -> bool:
    try:
        convert(value, kind, *limits)
    except Unstorable:
        return False
    return True
