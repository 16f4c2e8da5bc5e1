"""What PostgreSQL holds is proved to be what the file holds: values of each type."""

from typing import Any

import pytest

from tests.proofs import Sides, one_column, sides

__all__ = ["sides"]

LONG = "水循环 " * 300
SAME: dict[str, list[tuple[Any, Any]]] = {
    "int2": [(1, 1), (-(2**15), -(2**15)), ("5", 5), (7.0, 7), (None, None)],
    "int8": [(2**63 - 1, 2**63 - 1), (-(2**63), -(2**63)), (" 12\n", 12), (None, None)],
    "bool": [(1, True), (0, False), ("true", True), ("F", False), (1.0, True), (None, None)],
    "float8": [
        *((value, value) for value in (0.0, 1e308, 5e-324, 0.1, -1.5, 0.0, None)),
        (-0.0, "-0"),
        (float("inf"), "Infinity"),
        (-float("inf"), "-Infinity"),
        (5, 5),
        ("19.99", 19.99),
    ],
    "float4": [(0.1, 0.1), (16777216, 16777216), (-0.0, "-0"), ("1.5", 1.5), (None, None)],
    "numeric": [
        (19.99, "19.99"),
        ("1.50", "1.50"),
        (100, "100.00"),
        ("1e5", "100000"),
        ("-0.0", 0),
        (0.1, "0.1"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
        (float("inf"), "Infinity"),
        (None, None),
    ],
    "text": [
        ("", ""),
        ("水循环 👩‍👩‍👧", "水循环 👩‍👩‍👧"),
        ("a" * 199, "a" * 199),
        ("a" * 200, "a" * 200),
        ("a" * 201, "a" * 201),
        (LONG, LONG),
        ("\ufdd0 \\N", "\ufdd0 \\N"),
        (5, "5"),
        (0.1, "0.1"),
        (1e100, "1.0e+100"),
        (None, None),
    ],
    "varchar(20)": [("👍" * 20, "👍" * 20), ("", ""), (" a ", " a "), (None, None)],
    "char(4)": [("ab", "ab"), ("", ""), ("水循环水", "水循环水"), (None, None)],
    "bytea": [
        (b"", b""),
        (b"\0\xff", b"\0\xff"),
        (b"x" * 5000, b"x" * 5000),
        ("\\x41 水", "\\x41 水".encode()),
        (None, None),
    ],
    "timestamptz": [
        ("2026-01-02 03:04:05", "2026-01-02 03:04:05+00"),
        ("2026-01-02T03:04:05.678901", "2026-01-02 03:04:05.678901+00"),
        ("2026-01-02 03:04:05.5", "2026-01-02 03:04:05.5+00"),
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05+00"),
        ("2026-01-02 03:04:05 +08:00", "2026-01-01 19:04:05+00"),
        ("2026-01-02 03:04:05-0330", "2026-01-02 06:34:05+00"),
        ("2026-01-02", "2026-01-02 00:00+00"),
        ("2026-01-02 03:04", "2026-01-02 03:04+00"),
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00+00"),
        ("9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999+00"),
        ("2000-02-29 12:00:00", "2000-02-29 12:00:00+00"),
        (1_767_225_600, "2026-01-01 00:00:00+00"),
        (1_767_225_600.25, "2026-01-01 00:00:00.25+00"),
        (1_767_225_600_123, "2026-01-01 00:00:00.123+00"),
        (None, None),
    ],
    "timestamp": [("1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"), (None, None)],
    "date": [
        ("2026-02-03", "2026-02-03"),
        ("1900-03-01 00:00:00", "1900-03-01"),
        (1_767_225_600, "2026-01-01"),
        (None, None),
    ],
    "time": [("12:34", "12:34"), ("23:59:59.120000", "23:59:59.12"), (None, None)],
    "uuid": [
        ("6F9619FF8B86D011B42D00CF4FC964FF", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ("6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        (None, None),
    ],
    "json": [('{"b": 1,  "a": 1.50}', '{"b": 1,  "a": 1.50}'), (5, "5"), (None, None)],
    "jsonb": [
        (text, text)
        for text in (
            '{"bb": 1, "a": [1.50, 1e5, -0, -0.0, 1E-3, 0e5], "水": {"z": null, "é": true}}',
            '{"n": 9007199254740993, "big": 123456789012345678901234567890, "": []}',
            '["\\u0041\\n\\t\\u0001\\u001f\\u007f\\"\\\\\\/ \\ud83c\\udf93 水"]',
            "null",
            '"\ufdd0"',
            '{"a": "\ufdd0", "b": [0.10, 1.5e1, 0.0e-3, {}]}',
            "[" * 3000 + '{"b": 1e2, "a": []}' + "]" * 3000,
            '{"deep": ' + '{"bb": 1.0, "a": ' * 1500 + "[]" + "}" * 1500 + "}",
            "1" * 5000,
            LONG.join('""'),
        )
    ]
    + [(5, "5"), (1.5, "1.5"), (None, None)],
    "interval": [("1 day", "1 day"), ("00:00:01.5", "00:00:01.5"), (None, None)],
}


@pytest.mark.parametrize("type_name", SAME)
def test_equal_values_are_proved_equal(sides: Sides, type_name: str) -> None:
    one_column(sides, type_name, SAME[type_name])
    proof = sides.prove()
    assert proof.problems == ()
    assert proof.is_equal
    (table,) = proof.tables
    assert table.rows.source == str(len(SAME[type_name]))
    (_, column) = table.columns
    assert column.nulls.source == str(sum(mine is None for mine, _ in SAME[type_name]))
    assert column.least.source is not None


CHANGED: list[tuple[str, Any, Any]] = [
    ("int2", 5, 6),
    ("int8", 1, 2**32),
    ("int8", -1, -(2**32) - 1),
    ("int8", None, 0),
    ("bool", 1, False),
    ("bool", 2, True),
    ("float8", -0.0, 0.0),
    ("float8", 0.1, 0.10000000000000002),
    ("float8", 1.0, "NaN"),
    ("float8", float("inf"), 1.7976931348623157e308),
    ("float8", 2**53 + 1, float(2**53)),
    ("float4", 0.1234567890123, 0.1234567890123),
    ("numeric", 19.99, "19.989999999999998436"),
    ("text", "", None),
    ("text", None, ""),
    ("text", "a", "a "),
    ("text", "a" * 300, "a" * 299 + "b"),
    ("text", b"bytes", "bytes"),
    ("text", 1e23, "1e+23"),
    ("varchar(20)", "é", "e\u0301"),
    ("char(4)", "A", "a"),
    ("bytea", b"\0", b""),
    ("bytea", "ab", b"\xab"),
    ("timestamptz", "2026-01-02 03:04:05.000001", "2026-01-02 03:04:05+00"),
    ("timestamptz", "2026-01-02 03:04:05+08:00", "2026-01-02 03:04:05+00"),
    ("timestamptz", "now", "now"),
    ("timestamptz", "2026-02-29 00:00:00", "2026-03-01 00:00:00+00"),
    ("timestamptz", "2026-01-01 00:00:00", "infinity"),
    ("date", "2026-01-02 03:00:00", "2026-01-02"),
    ("time", "12:00:00", "12:00:00.000001"),
    ("uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6f9619ff-8b86-d011-b42d-00cf4fc964fe"),
    ("json", '{"a": 1}', '{"a":1}'),
    ("jsonb", '{"n": 9007199254740993}', '{"n": 9007199254740992}'),
    ("jsonb", '{"n": 1.50}', '{"n": 1.5}'),
    ("jsonb", "null", None),
    ("jsonb", '["\\u00e9"]', '["e"]'),
    ("jsonb", "[1,", "[1]"),
]


@pytest.mark.parametrize(("type_name", "mine", "theirs"), CHANGED)
def test_a_changed_value_is_found(sides: Sides, type_name: str, mine: Any, theirs: Any) -> None:
    (usual, *_) = SAME[type_name]
    one_column(sides, type_name, [usual, (mine, theirs), usual])
    proof = sides.prove()
    assert not proof.is_equal
    (table,) = proof.tables
    assert [column.is_equal for column in table.columns] == [True, False]
    assert any("t -> public.t" in one and "a" in one for one in proof.problems)
