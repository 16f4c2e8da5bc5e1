import json
import math
import random
import string
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.ops.migrate import nesting
from app.ops.migrate.values import Kind, Unstorable, Value, convert, csv_field

KINDS: list[Kind] = [
    *("boolean", "smallint", "integer", "bigint", "numeric", "real", "double", "text", "varchar"),
    *("char", "bytea", "timestamptz", "timestamp", "date", "time", "json", "jsonb", "uuid"),
]
MOMENTS: list[Kind] = ["timestamptz", "timestamp", "date", "time"]
VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.binary()


def reason(
    value: Value, kind: Kind, length: int | None = None, size: tuple[int, int] | None = None
) -> str:
    with pytest.raises(Unstorable) as refused:
        convert(value, kind, length, *(size or ()))
    return str(refused.value)


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_null_in_every_type(kind: Kind) -> None:
    assert convert(None, kind) is None


@given(value=VALUES | st.text(), kind=st.sampled_from(KINDS))
def test_a_value_is_converted_or_refused_with_a_reason(value: Value | None, kind: Kind) -> None:
    made = outcome(value, kind)
    assert (made is None) == (value is None)
    assert not isinstance(made, Unstorable) or str(made)


def outcome(value: Value | None, kind: Kind) -> str | Unstorable | None:
    try:
        return convert(value, kind)
    except Unstorable as refused:
        return refused


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bytea"])
def test_a_reason_is_short_whatever_the_value(kind: Kind) -> None:
    assert len(reason("x\0" * 100_000, kind, 5)) < 100


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_a_surrogate_pair_is_refused_in_every_type(kind: Kind) -> None:
    assert "surrogate" in reason('"\udc80"', kind)


@pytest.mark.parametrize("value", [2, -1, 0.5, "", "yes", "on", "2", " 1", "ｔ", b"1", b"\1"])
def test_other_booleans_are_refused(value: Value) -> None:
    assert reason(value, "boolean") == "neither true nor false"


@pytest.mark.parametrize(
    "value",
    ["", " ", "1.0", "1e3", "0x10", "1_000", "007", "--1", "+", "٣", "１", "1 2", "\xa01", b"1"],
)
def test_text_that_is_no_plain_whole_number_is_refused(value: Value) -> None:
    assert reason(value, "integer")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (32_768, "smallint"),
        (-32_769.0, "smallint"),
        (2**31, "integer"),
        (str(-(2**31) - 1), "integer"),
        (2.0**63, "bigint"),
        ("9" * 1_000_000, "bigint"),
    ],
)
def test_an_integer_out_of_range_is_refused(value: Value, kind: Kind) -> None:
    assert reason(value, kind) == f"a number out of the range of {kind}"


@pytest.mark.parametrize("value", [0.5, math.inf, -math.inf, 5e-324])
def test_a_float_that_is_not_whole_is_no_integer(value: float) -> None:
    assert reason(value, "bigint") == "not a whole number"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**53 + 1, "double"),
        (2**63 - 1, "double"),
        (str(2**53 + 1), "double"),
        ("0.10000000000000000555", "double"),
        ("1e400", "double"),
        ("1e-400", "double"),
        ("Infinity", "double"),
        ("nan", "double"),
        (".5", "double"),
        ("5.", "double"),
        ("1,5", "double"),
        ("", "double"),
        (b"1", "double"),
        (16_777_217, "real"),
        (1e39, "real"),
        (1e-46, "real"),
        (0.1 + 0.2, "real"),
        (3.4028236e38, "real"),
    ],
)
def test_a_number_that_a_float_cannot_hold_is_refused(value: Value, kind: Kind) -> None:
    assert reason(value, kind)


def test_the_text_of_a_double_is_the_number_and_not_its_spelling() -> None:
    assert convert(" 1.500e1 ", "double") == "15.0"
    assert convert(-0.0, "double") == "-0.0"
    assert convert("-0.0", "double") == "-0.0"
    assert convert(2**53, "double") == "9007199254740992.0"


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("1.005", (5, 2)),
        (0.1 + 0.2, (20, 2)),
        (1000, (5, 2)),
        ("999.999", (5, 2)),
        (150, (3, -2)),
        ("0.01", (2, 5)),
        (math.inf, (5, 2)),
    ],
)
def test_a_numeric_that_would_be_rounded_or_overflow_is_refused(
    value: Value, size: tuple[int, int]
) -> None:
    assert reason(value, "numeric", size=size)


@pytest.mark.parametrize(
    "value",
    ["9" * 131_073, "1e131072", "1e-16384", "1" * 10_000_000, "1e999999999999", "NaN", "1_0"],
)
def test_a_number_beyond_numeric_is_refused(value: str) -> None:
    assert reason(value, "numeric")


def test_a_float_in_numeric_is_the_decimal_that_people_wrote() -> None:
    assert convert(19.99, "numeric", None, 10, 2) == "19.99"
    assert convert("19.9900", "numeric", None, 4, 2) == "19.9900"


def test_the_length_of_text_is_counted_in_characters() -> None:
    assert convert("👩\u200d🏫水", "varchar", 4) == "👩\u200d🏫水"
    assert reason("enterprise@system.com", "varchar", 20) == (
        "text of 21 characters where 20 are allowed"
    )
    # PostgreSQL itself would cut these in silence.
    assert "4 characters" in reason("abc ", "varchar", 3)
    assert "spaces at its end" in reason("ab ", "char", 3)


def test_text_that_postgresql_cannot_hold_is_refused() -> None:
    assert "U+0000" in reason("a\0b", "text")
    assert "not valid UTF-8" in reason(b"a\xff", "text")
    assert "binary data" in reason(b"abc", "varchar")


@pytest.mark.parametrize(("value", "text"), [(42, "42"), (-7, "-7"), (1.5, "1.5"), (3.0, "3.0")])
def test_a_number_in_text_is_what_sqlite_shows(value: float, text: str) -> None:
    assert convert(value, "text") == text


@pytest.mark.parametrize("value", [0.1 + 0.2, math.inf, -math.inf])
def test_a_number_of_which_sqlite_shows_less_is_refused_in_text(value: float) -> None:
    assert "not all digits" in reason(value, "text")


def test_text_in_a_column_of_bytes_is_never_decoded() -> None:
    assert convert("\\x61", "bytea") == "\\x" + b"\\x61".hex()
    assert convert("YWJj", "bytea") == "\\x" + b"YWJj".hex()
    assert convert(b"", "bytea") == "\\x"
    assert "number" in reason(5, "bytea")
    assert "more bytes" in reason(bytes(540_000_000), "bytea")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2024-02-29", "2024-02-29 00:00:00+00"),
        ("2024-02-29 07:05", "2024-02-29 07:05:00+00"),
        ("2024-02-29T07:05:09Z", "2024-02-29 07:05:09+00"),
        ("2024-02-29 07:05:09.1", "2024-02-29 07:05:09.100000+00"),
        ("2024-02-29 07:05:09.123456000", "2024-02-29 07:05:09.123456+00"),
        ("2024-03-01 07:05:09+08", "2024-02-29 23:05:09+00"),
        ("2024-02-29 20:00:00 -0345", "2024-02-29 23:45:00+00"),
        ("2024-02-29 20:00:00-03:45", "2024-02-29 23:45:00+00"),
        (1709251200, "2024-03-01 00:00:00+00"),
        (1709251200.000001, "2024-03-01 00:00:00.000001+00"),
        (1709251200123, "2024-03-01 00:00:00.123000+00"),
        (1709251200123.5, "2024-03-01 00:00:00.123500+00"),
    ],
)
def test_every_known_form_of_a_time_is_the_same_instant(value: Value, wanted: str) -> None:
    assert convert(value, "timestamptz") == wanted
    assert convert(value, "timestamp") == wanted.removesuffix("+00")


@pytest.mark.parametrize(
    "value",
    [
        *("now", "yesterday", "today", "infinity", "epoch", "", "2024", "20240131", "2024-1-1"),
        *("2024-02-30", "2023-02-29", "2024-13-01", "0000-00-00", "0000-01-01", "10000-01-01"),
        *("2024-01-01 24:00", "2024-01-01 23:59:60", "2024-01-01 1:00", "2024-01-01 10:60"),
        *("2024-01-01 BC", "2024-01-01 10:00 PM", "01/02/2024", "2024-01-01 10:00:00.1234567"),
        *("2024-01-01 10:00:00+16:00", "2024-01-01 10:00+08:60", "2024-01-01 10:00+8"),
        *("0001-01-01 00:00+08:00", "9999-12-31 23:00-08:00", "2024-01-01 10:00 Asia/Shanghai"),
        *("２０２４-01-01", "2024-01-01\n", " 2024-01-01", "2024-01-01 10:00:00."),
        *("1709251200", "2024-01-01 10:00:00." + "0" * 1_000_000, b"2024-01-01"),
    ],
)
def test_what_is_no_time_in_a_known_form_is_refused(value: Value) -> None:
    for kind in MOMENTS:
        assert reason(value, kind)


@pytest.mark.parametrize(
    "value",
    [
        *(0, 1, 2024, 19_782, 2_460_370.5, 20_240_131, 99_999_999, -1, -86_400),
        *(7_258_118_400, 202_401_311_230, 999_999_999_999, 7_258_118_400_000),
        *(20_240_131_123_000, 1_709_251_200_000_000, 2**63 - 1, math.inf, -math.inf),
        *(1709251200.1234567, 1e300),
    ],
)
def test_a_number_that_could_be_another_time_is_refused(value: float) -> None:
    for kind in MOMENTS:
        assert reason(value, kind)


def test_a_date_takes_only_midnight_in_utc() -> None:
    assert convert("2024-02-29T00:00:00.000Z", "date") == "2024-02-29"
    assert convert(1709251200, "date") == "2024-03-01"
    assert "midnight" in reason("2024-02-29 00:00:00.000001", "date")
    assert "offset" in reason("2024-02-29 08:00:00+08:00", "date")


def test_a_time_of_day_has_neither_a_date_nor_an_offset() -> None:
    assert convert("07:05", "time") == "07:05:00"
    assert convert("07:05:09.5Z", "time") == "07:05:09.500000"
    for value in ("24:00", "23:59:60", "07:05+08:00", "2024-01-01 07:05", 25_500, "allballs"):
        assert reason(value, "time")


BROKEN_JSON = [
    *("", " ", "NaN", "[Infinity]", "-Infinity", "{'a': 1}", "[1,]", '{"a" 1}', "01", "1.", ".5"),
    *('"\t"', '"\\x"', '"\\u12"', "nul", "1 2", "[1", "]", '{"a":1,}', "\ufeff1", "\0", "\xa01"),
    *('"a\0"', "True", "[" * 3000, "[" * 3000 + "1" + "]" * 2999 + "}", '{"a":' * 3000 + "}"),
]


@pytest.mark.parametrize("text", BROKEN_JSON)
def test_text_that_is_no_json_is_refused(text: str) -> None:
    assert "not valid JSON" in reason(text, "json")
    assert "not valid JSON" in reason(text, "jsonb")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 1}', "stands twice"),
        ('[[{"b": {"a": 1, "\\u0061": 2}}]]', "stands twice"),
        ('"\\u0000"', "U+0000"),
        ('{"\\\\\\u0000": 1}', "U+0000"),
        ('"\\ud83d"', "surrogate"),
        ('"\\uDe00\\ud83d"', "surrogate"),
        ('"\\ud83d\\ud83d\\ude00"', "surrogate"),
        ("[1e131072]", "more digits"),
        ('{"a": -1e-16384}', "more digits"),
        ("9" * 131_073, "more digits"),
    ],
)
def test_what_jsonb_would_lose_is_refused_there_only(text: str, words: str) -> None:
    assert convert(text, "json") == text
    assert words in reason(text, "jsonb")


def test_what_could_be_larger_than_a_jsonb_is_refused() -> None:
    assert "larger" in reason("[" + "1," * 16_000_000 + "1]", "jsonb")
    assert "larger" in reason('"' + "水" * 90_000_000 + '"', "jsonb")


@pytest.mark.parametrize(
    "text",
    [
        *('"\\\\u0000"', '"\\\\ud83d"', '"\\ud83d\\ude00"', "-0.0", "1E+5", '{"a": {"a": 1}}'),
        *("null", ' {"a" : [ ] }\n', '"' + "\\\\" * 100_000 + 'u0000"', '"\x7f\u2028"'),
    ],
)
def test_json_is_kept_as_it_is_written(text: str) -> None:
    assert convert(text, "json") == text
    assert convert(text, "jsonb") == text


def test_a_number_in_a_column_of_json_is_a_json_number() -> None:
    for kind in ("json", "jsonb"):
        assert convert(5, kind) == "5"
        assert convert(1e16, kind) == "1e+16"
        assert "infinity" in reason(math.inf, kind)
        assert "binary" in reason(b"{}", kind)


@pytest.mark.parametrize(
    ("start", "end"), [("[", "]"), ('{"a":', "}"), ('[ {"b": 1, "a" :', "} ]")]
)
def test_deep_json_is_taken_up_to_a_known_depth(start: str, end: str) -> None:
    levels = nesting.MOST_LEVELS // (1 + start.count("[ {"))
    for kind in ("json", "jsonb"):
        deepest = start * levels + "1" + end * levels
        assert convert(deepest, kind) == deepest
        assert "levels" in reason(f"[{deepest}]", kind)
        assert "levels" in reason("[" * 1_000_000, kind)
    twice = start * 2000 + '{"a": 1, "a": 2}' + end * 2000
    assert convert(twice, "json") == twice
    assert "stands twice" in reason(twice, "jsonb")


SIGNS = ["{", "}", "[", "]", ",", ":", '"a"', '"b"', "1", "-2.5", "null", " ", "\n", "'", "x", "01"]


@given(
    text=st.lists(st.sampled_from(SIGNS), max_size=12).map("".join) | st.sampled_from(BROKEN_JSON)
)
def test_the_walk_takes_exactly_what_the_json_module_takes(text: str) -> None:
    assume(len(text) < 900)
    decoder = json.JSONDecoder()
    assert is_broken(lambda: nesting.walk(text, decoder, lambda _: None)) == is_broken(
        lambda: decoder.decode(text)
    )


def is_broken(action: Callable[[], object]) -> bool:
    try:
        action()
    except json.JSONDecodeError:
        return True
    return False


@pytest.mark.parametrize(
    "value",
    [
        *("", "0", "{12345678-1234-1234-1234-123456789abc}", "urn:uuid:" + "0" * 32, "0" * 31),
        *("12345678-12341234-1234-123456789abc", "1234-" * 8, "g" * 32, "０" * 32, bytes(16), 5),
    ],
)
def test_other_forms_of_a_uuid_are_refused(value: Value) -> None:
    assert reason(value, "uuid")


def test_a_field_of_csv_is_quoted_unless_it_is_null() -> None:
    assert csv_field(None) == "\\N"
    assert csv_field("\\N") == '"\\N"'
    assert csv_field("") == '""'
    assert csv_field('a"b') == '"a""b"'


def test_a_large_document_of_escapes_is_read_in_one_pass() -> None:
    chosen = random.Random(1)
    characters = "".join(chosen.choices(string.printable + "水墨👩", k=1_000_000))
    document = json.dumps({characters: [characters, "\\" * 1_000_000]})
    assert convert(document, "jsonb") == document
