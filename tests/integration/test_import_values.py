"""Each value of a file is in the target as it was, or in quarantine with the reason why."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import imports
from tests.imports import Import, No
from tests.servers import Servers

NOT_BOOLEAN = No("neither true nor false")
NO_TIME = No("text that is not a date or time in a known form")
NO_CALENDAR = No("a date or time that no calendar or clock shows")
NO_NUMBER = No("a number that is neither Unix seconds nor milliseconds beyond doubt")
BEYOND = No("a time with digits beyond microseconds")
NOT_WHOLE = No("text that is not a plain whole number")
BLOB_NUMBER = No("binary data in a column of numbers")
NUL = No("text with the character U+0000")
HUGE = 2**53 + 1
DEEP = "[" * 6000 + "]" * 6000

# By type of the target: values of a column without a type, and what the server shows for each.
CASES: dict[str, list[tuple[Any, str | No | None]]] = {
    "bool": [
        *[(value, "true") for value in (1, 1.0, "1", "t", "true", "TRUE", "T")],
        *[(value, "false") for value in (0, 0.0, "0", "f", "false", "F")],
        *[(value, NOT_BOOLEAN) for value in (2, -1, "yes", "", "no", "on", 0.5, b"1", " 1")],
        (None, None),
    ],
    "timestamptz": [
        ("2026-01-02 03:04:05", "2026-01-02 03:04:05+00"),
        ("2026-01-02T03:04:05", "2026-01-02 03:04:05+00"),
        ("2026-01-02 03:04:05Z", "2026-01-02 03:04:05+00"),
        ("2026-01-02T03:04:05.678901Z", "2026-01-02 03:04:05.678901+00"),
        ("2026-01-02 03:04:05+08:00", "2026-01-01 19:04:05+00"),
        ("2026-01-02 03:04:05.5 -0330", "2026-01-02 06:34:05.5+00"),
        ("2026-01-02 03:04:05+08", "2026-01-01 19:04:05+00"),
        ("2026-01-02 03:04:05.6", "2026-01-02 03:04:05.6+00"),
        ("2026-01-02 03:04:05.678", "2026-01-02 03:04:05.678+00"),
        ("2026-01-02 03:04:05.123456", "2026-01-02 03:04:05.123456+00"),
        ("2026-01-02 03:04:05.123456000", "2026-01-02 03:04:05.123456+00"),
        ("2026-01-02 03:04", "2026-01-02 03:04:00+00"),
        ("2026-01-02", "2026-01-02 00:00:00+00"),
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00+00"),
        ("9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999+00"),
        (1_767_323_045, "2026-01-02 03:04:05+00"),
        (1_767_323_045.25, "2026-01-02 03:04:05.25+00"),
        (1_767_323_045_678, "2026-01-02 03:04:05.678+00"),
        ("2026-01-02 03:04:05.1234567", BEYOND),
        *[(value, NO_NUMBER) for value in (2026, 0, -1, 2_461_042.5, 20_260_102)],
        *[(value, NO_TIME) for value in ("now", "today", "yesterday", "infinity", "epoch", "")],
        *[(value, NO_TIME) for value in ("2026-1-2", "02.01.2026", "1767323045", " 2026-01-02")],
        *[(value, NO_TIME) for value in ("２026-01-02 03:04:05", "2026-01-02 03:04:05\0")],
        *[(value, NO_CALENDAR) for value in ("2026-02-30", "2026-02-30 00:00:00", "2026-13-01")],
        *[(value, NO_CALENDAR) for value in ("2026-01-01 24:00:00", "2026-01-01 23:59:60")],
        *[(value, NO_CALENDAR) for value in ("0000-00-00 00:00:00", "0000-01-01")],
        ("2026-01-01 00:00:00+16:00", No("a time with an offset that no place has")),
        ("0001-01-01 00:00:00+01", No("a time that is outside of the years 1 to 9999 in UTC")),
        (b"2026-01-02 03:04:05", No("binary data in a column of times")),
        (float("inf"), NO_NUMBER),
        (None, None),
    ],
    "timestamp": [
        ("2026-01-02 03:04:05.5", "2026-01-02 03:04:05.5"),
        ("2026-01-02 03:04:05+08:00", "2026-01-01 19:04:05"),
        ("now", NO_TIME),
    ],
    "date": [
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02 00:00:00", "2026-01-02"),
        ("2026-01-02 00:00:01", No("a time that is not midnight in a column of dates")),
        ("2026-01-02 00:00:00+08:00", No("a time with an offset in a column of dates")),
        ("2026-02-29", NO_CALENDAR),
        ("0000-01-01", NO_CALENDAR),
        ("tomorrow", NO_TIME),
    ],
    "time": [
        ("03:04:05.000001", "03:04:05.000001"),
        ("03:04", "03:04:00"),
        ("24:00:00", No("a time that no clock shows")),
        ("allballs", No("text that is not a time of day in a known form")),
        ("03:04:05+08", No("an offset in a column of times of day")),
        (11_045, No("a number in a column of times of day")),
    ],
    "int4": [
        (7, "7"),
        (7.0, "7"),
        ("7", "7"),
        (" -7 ", "-7"),
        ("+7", "7"),
        (-0.0, "0"),
        (2**31 - 1, "2147483647"),
        (-(2**31), "-2147483648"),
        *[(value, NOT_WHOLE) for value in ("", " ", "007", "7.0", "7e2", "0x7", "seven", "７")],
        (7.5, No("not a whole number")),
        (float("inf"), No("not a whole number")),
        (b"7", BLOB_NUMBER),
        *[(value, No("a number out of the range of integer")) for value in (2**31, "2147483648")],
        (1e300, No("a number out of the range of integer")),
    ],
    "int2": [(32_767, "32767"), (32_768, No("a number out of the range of smallint"))],
    "int8": [
        (2**63 - 1, "9223372036854775807"),
        (-(2**63), "-9223372036854775808"),
        ("9223372036854775807", "9223372036854775807"),
        (9.007199254740993e15, "9007199254740992"),
        (9.3e18, No("a number out of the range of bigint")),
        ("9" * 5000, No("a number out of the range of bigint")),
    ],
    "float8": [
        (0.1, "0.1"),
        (-0.0, "-0"),
        (5e-324, "5e-324"),
        (float("inf"), "Infinity"),
        (-float("inf"), "-Infinity"),
        (3, "3"),
        (2**53, "9.007199254740992e+15"),
        ("1.5", "1.5"),
        (HUGE, No("a whole number that a double can't hold exactly")),
        (
            "0.1000000000000000055",
            No("text of a number that a double can't hold with all its digits"),
        ),
        ("NaN", No("text that is not a plain number")),
        ("", No("text that is not a plain number")),
        (b"", BLOB_NUMBER),
    ],
    "float4": [
        (0.1, "0.1"),
        (1e10, "1e+10"),
        (-0.0, "-0"),
        (float("inf"), "Infinity"),
        (0.123456789, No("a number that real can't hold with all its digits")),
        (16_777_217, No("a number that real can't hold with all its digits")),
    ],
    "numeric": [
        (0.1, "0.1"),
        ("12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
        ("1.50", "1.50"),
        ("1e-5", "0.00001"),
        (float("inf"), "Infinity"),
        (-0.0, "0.0"),
        (1e300, f"1{'0' * 300}"),
        ("", No("text that is not a plain number")),
        ("NaN", No("text that is not a plain number")),
        ("1e200000", No("a number with more digits than numeric holds")),
    ],
    "numeric(5,2)": [
        (999.99, "999.99"),
        ("7", "7.00"),
        (1000, No("a number too large for numeric(5, 2)")),
        (0.125, No("a number with more than 2 digits after the decimal point")),
        (float("inf"), No("infinity in a numeric with a precision")),
    ],
    "text": [
        ("", ""),
        ("水循环 👩‍👩‍👧", "水循环 👩‍👩‍👧"),
        ("trailing  ", "trailing  "),
        ("\\N", "\\N"),
        ("\\x41", "\\x41"),
        ("a\r\n\tb\\", "a\r\n\tb\\"),
        (5, "5"),
        (0.5, "0.5"),
        (1e15, "1.0e+15"),
        ("a\0b", NUL),
        ("\0", NUL),
        (b"bytes", No("binary data in a column of text")),
        (b"\xff", No("bytes that are not valid UTF-8 in a column of text")),
        (float("inf"), No("a number in a column of text, of which SQLite shows not all digits")),
    ],
    "varchar(3)": [
        ("abc", "abc"),
        ("水循环", "水循环"),
        ("👍👍👍", "👍👍👍"),
        ("ab ", "ab "),
        ("abc ", No("text of 4 characters where 3 are allowed")),
        ("水循环水", No("text of 4 characters where 3 are allowed")),
        ("abcd", No("text of 4 characters where 3 are allowed")),
        (1234, No("text of 4 characters where 3 are allowed")),
    ],
    "varchar(5000)": [
        ("水" * 5000, "水" * 5000),
        ("x" * 5000 + " ", No("text of 5001 characters where 5000 are allowed")),
        ("x" * 5001, No("text of 5001 characters where 5000 are allowed")),
    ],
    "char(3)": [
        ("abc", "abc"),
        ("水", "水"),
        ("a ", No("text with spaces at its end in a char, which doesn't keep them")),
        ("abcd", No("text of 4 characters where 3 are allowed")),
    ],
    "bytea": [
        (b"\0\xff", "\\x00ff"),
        (b"", "\\x"),
        ("text", "\\x74657874"),
        ("\\x41", "\\x5c783431"),
        ("QUJD", "\\x51554a44"),
        ("4142", "\\x34313432"),
        ("a\0b", "\\x610062"),
        (65, No("a number in a column of binary data")),
    ],
    "jsonb": [
        ("null", "null"),
        (None, None),
        ('{"b": 1, "a": "水"}', '{"a": "水", "b": 1}'),
        ('{"a": "\\u6c34"}', '{"a": "水"}'),
        ('"\\ud83d\\udc4d"', '"👍"'),
        ("9007199254740993", "9007199254740993"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("1.0", "1.0"),
        ("1e2", "100"),
        ("", No("text that is not valid JSON: Expecting value at character 0")),
        (
            "{'a': 1}",
            No(
                "text that is not valid JSON: Expecting property name enclosed in double quotes"
                " at character 1"
            ),
        ),
        ("NaN", No("text that is not valid JSON: it has NaN")),
        ("[-Infinity]", No("text that is not valid JSON: it has -Infinity")),
        ('"\\u0000"', No("JSON with the character U+0000")),
        ('"\\ud800"', No("JSON with half of a surrogate pair")),
        ('{"a": 1, "a": 2}', No("JSON with a key that stands twice in one object")),
        ('[{"a": 1, "\\u0061": 2}]', No("JSON with a key that stands twice in one object")),
        ("1e200000", No("JSON with a number that has more digits than jsonb holds")),
        ("[1e-20000]", No("JSON with a number that has more digits than jsonb holds")),
        (5, "5"),
        (float("inf"), No("infinity, which JSON has no number for")),
        (b"{}", No("binary data in a column of JSON")),
        (DEEP, No("JSON nested in more than 5000 levels")),
        ("[" * 500 + "]" * 500, "[" * 500 + "]" * 500),
    ],
    "json": [
        ('{"a": 1,  "a": "\\u0000"}', '{"a": 1,  "a": "\\u0000"}'),
        ("null", "null"),
        ("NaN", No("text that is not valid JSON: it has NaN")),
    ],
    "uuid": [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("0F8FAD5BD9CB469FA16570867728950E", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("{0f8fad5b-d9cb-469f-a165-70867728950e}", No("not a UUID of 32 hexadecimal digits")),
        (5, No("not a UUID of 32 hexadecimal digits")),
    ],
}

# Some that can't be stored of what is packed in batches, each in its own table: the first one of
# a table makes the import look at all others more closely.
ALONE: list[tuple[str, Any]] = [
    *[("bool", value) for value in (2, "yes", b"1")],
    *[("int4", value) for value in (2**31, "", b"7")],
    *[("float8", value) for value in (HUGE, "NaN")],
    *[("text", value) for value in ("a\0b", b"bytes", float("inf"))],
    *[("varchar(3)", value) for value in ("abc ", "水循环水")],
    *[("varchar(5000)", value) for value in ("x" * 5000 + " ", "x" * 5001)],
    ("bytea", 65),
    *[
        ("jsonb", value)
        for value in ("NaN", '"\\ud800"', '{"a": 1, "a": 2}', "[1e-20000]", DEEP, b"{}")
    ],
    ("jsonb", float("inf")),
    ("json", "NaN"),
    *[("timestamptz", value) for value in ("now", "2026-02-30 00:00:00", "2026-01-01 24:00:00", 0)],
    ("timestamptz", b"2026-01-02 03:04:05"),
]


@pytest.fixture(scope="module")
def moved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path_factory.mktemp("values")) as made:
        made.one_column(CASES)
        for at, (kind, value) in enumerate(ALONE):
            table = f"alone {at}"
            made.on_server(f'CREATE TABLE "{table}" (id int8 PRIMARY KEY, a {kind})')
            made.on_file(f'CREATE TABLE "{table}" (id INTEGER PRIMARY KEY, a)')
            made.put(table, (1, None), (2, value), (3, None))
        made.run()
        yield made


@pytest.mark.parametrize("kind", CASES)
def test_a_value_is_the_same_or_in_quarantine(moved: Import, kind: str) -> None:
    assert moved.stored(kind) == imports.expected(CASES[kind])
    assert moved.refused(f"of {kind}") == imports.refusals(CASES[kind])


def test_a_value_alone_among_good_ones_is_found_as_well(moved: Import) -> None:
    reasons = {
        (kind, repr(value)): expected.reason
        for kind, cases in CASES.items()
        for value, expected in cases
        if isinstance(expected, No)
    }
    found = moved.select(
        "SELECT source_table, source_rowid, column_name, reason FROM legacy.import_quarantine"
        " WHERE source_table LIKE 'alone %%' ORDER BY split_part(source_table, ' ', 2)::int",
        (),
    )
    assert found == [
        (f"alone {at}", 2, "a", reasons[kind, repr(value)])
        for at, (kind, value) in enumerate(ALONE)
    ]
    for at in range(len(ALONE)):
        assert moved.rows(f"alone {at}") == [(1, None), (3, None)]


def test_what_is_in_quarantine_is_there_with_its_very_bytes(moved: Import) -> None:
    kinds = {type(None): "null", int: "integer", float: "real", str: "text", bytes: "blob"}

    def raw(value: Any) -> bytes | None:
        if value is None or isinstance(value, bytes):
            return value
        return str(value).encode()

    for kind, cases in CASES.items():
        wanted = [
            row
            for at, (value, expected) in enumerate(cases)
            if isinstance(expected, No)
            for row in (
                (str(at), "a", kinds[type(value)], raw(value)),
                (str(at), "id", "integer", str(at).encode()),
            )
        ]
        assert moved.raw(f"of {kind}") == wanted


def test_the_verdict_counts_what_is_in_quarantine(moved: Import) -> None:
    report = moved.said()
    count = sum(isinstance(expected, No) for cases in CASES.values() for _, expected in cases)
    assert (report.verdict, report.exit_code) == ("identical except quarantine", 3)
    assert report.quarantined_total == count + len(ALONE)
    assert report.proof
    assert report.proof.problems == ()
