"""Types that only the server knows, and what a type's own precision would round or cut off."""

from collections.abc import Iterator

import pytest

from tests import imports
from tests.imports import Cases, Import, No
from tests.servers import Servers


def other(kind: str) -> No:
    return No(f"text that PostgreSQL's {kind} shows otherwise")


def refused(kind: str, text: str) -> No:
    return No(f'PostgreSQL refuses it: invalid input syntax for type {kind}: "{text}"')


CASES: dict[str, Cases] = {
    "int4[]": [
        ("{1,2,NULL}", "{1,2,NULL}"),
        ("{}", "{}"),
        ("{{1,2},{3,4}}", "{{1,2},{3,4}}"),
        ("{1, 2}", other("_int4")),
        ("[1,2]", No('PostgreSQL refuses it: malformed array literal: "[1,2]"')),
        (None, None),
    ],
    "text[]": [('{a,"b c","",水}', '{a,"b c","",水}'), ("{null}", other("_text"))],
    "interval": [
        ("1 day", "1 day"),
        ("01:02:03.5", "01:02:03.5"),
        ("1 mon -2 days", "1 mon -2 days"),
        ("90 minutes", other("interval")),
        (5, other("interval")),
        ("soon", refused("interval", "soon")),
    ],
    "varchar(2)[]": [("{ab,水}", "{ab,水}"), ('{"ab "}', other("_varchar"))],
    "timestamp(0)[]": [
        ('{"2026-01-02 03:04:05"}', '{"2026-01-02 03:04:05"}'),
        ('{"2026-01-02 03:04:05.5"}', other("_timestamp")),
    ],
    "interval(0)": [("00:00:01", "00:00:01"), ("00:00:01.5", other("interval"))],
    "inet": [
        ("192.168.0.1", "192.168.0.1/32"),
        ("::1", "::1/128"),
        ("::1/128", other("inet")),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.168.000.001", other("inet")),
        ("example.org", refused("inet", "example.org")),
    ],
    "cidr": [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1/8", No('PostgreSQL refuses it: invalid cidr value: "10.0.0.1/8"')),
    ],
    "bit(3)": [
        ("101", "101"),
        ("1", other("bit")),
        ("1011", other("bit")),
    ],
    "varbit(3)": [
        ("10", "10"),
        ("1011", other("varbit")),
    ],
    "int4range": [("[1,5)", "[1,5)"), ("[1,4]", other("int4range")), ("empty", "empty")],
    "point": [("(1,2)", "(1,2)"), ("1,2", other("point"))],
    "tsvector": [("'a' 'b'", "'a' 'b'"), ("b a", other("tsvector"))],
    "timetz": [("03:04:05+08", "03:04:05+08"), ("03:04:05", other("timetz"))],
    "money": [("$1.50", "$1.50"), (1.5, other("money"))],
    "name": [("x" * 63, "x" * 63), ("x" * 64, other("name"))],
    "timestamptz(0)": [
        ("2026-01-02 03:04:05", "2026-01-02 03:04:05+00"),
        ("2026-01-02 03:04:05.000000", "2026-01-02 03:04:05+00"),
        ("2026-01-02 03:04:05.5", No("a time with more than 0 digits after its seconds")),
        ("2026-01-02 03:04:05.500000", No("a time with more than 0 digits after its seconds")),
    ],
    "timestamp(3)": [
        ("2026-01-02 03:04:05.678", "2026-01-02 03:04:05.678"),
        ("2026-01-02 03:04:05.678000", "2026-01-02 03:04:05.678"),
        ("2026-01-02 03:04:05.678900", No("a time with more than 3 digits after its seconds")),
    ],
    "time(1)": [
        ("03:04:05.5", "03:04:05.5"),
        ("03:04:05.55", No("a time with more than 1 digits after its seconds")),
    ],
    "numeric(4,-2)": [
        (1200, "1200"),
        ("999900", "999900"),
        (1250, No("a number with more than -2 digits after the decimal point")),
        (1_000_000, No("a number too large for numeric(4, -2)")),
    ],
    "numeric(2,4)": [
        (0.0012, "0.0012"),
        (0.012, No("a number too large for numeric(2, 4)")),
        (0.00001, No("a number with more than 4 digits after the decimal point")),
    ],
    "half": [
        (2, "2"),
        (
            200,
            No(
                "PostgreSQL refuses it: value for domain half violates check constraint"
                ' "half_check"'
            ),
        ),
    ],
    "short": [("abc", "abc"), ("abcd", No("text of 4 characters where 3 are allowed"))],
    "moods": [
        ("{sad,happy}", "{sad,happy}"),
        ("{angry}", No('PostgreSQL refuses it: invalid input value for enum mood: "angry"')),
    ],
    "pair": [("(1,a)", "(1,a)"), ("(1, a)", other("pair"))],
}
# Those whose fault is found when the row is copied, not in the column.
OF_ROWS = {"half"}
TYPES = (
    "CREATE TYPE mood AS ENUM ('sad', 'happy')",
    "CREATE TYPE pair AS (a int4, b text)",
    "CREATE DOMAIN half AS int4 CHECK (VALUE < 100)",
    "CREATE DOMAIN short AS varchar(3)",
    "CREATE DOMAIN moods AS mood[]",
)


@pytest.fixture(scope="module")
def moved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path_factory.mktemp("types")) as made:
        made.on_server(*TYPES)
        made.one_column(CASES)
        made.run()
        yield made


@pytest.mark.parametrize("kind", CASES)
def test_a_value_is_shown_with_the_text_of_the_file_or_in_quarantine(
    moved: Import, kind: str
) -> None:
    assert moved.stored(kind) == imports.expected(CASES[kind])
    wanted = [
        (key, None if kind in OF_ROWS else column, reason)
        for key, column, reason in imports.refusals(CASES[kind])
    ]
    assert moved.refused(f"of {kind}") == wanted


def test_the_proof_finds_nothing_wrong(moved: Import) -> None:
    report = moved.said()
    assert report.proof
    assert report.proof.problems == ()
    assert (report.verdict, report.exit_code) == ("identical except quarantine", 3)
