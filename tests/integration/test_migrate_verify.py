"""What PostgreSQL holds is proved to be what the file holds, and every difference is found."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from app.ops.migrate import target, verify
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import LeftOut, Link, Move, Plan
from app.ops.migrate.results import Proof
from tests import databases
from tests.servers import HOST, Servers

Rows = list[tuple[Any, ...]]


@dataclass
class Sides:
    """A file and a database, which a test fills as it likes."""

    file: Path
    connection: Connection
    connect: Callable[[], Connection]
    saved: target.Catalogue | None = None
    encoding: str = "UTF-8"

    def on_file(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def put(self, table: str, rows: Rows) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for row in rows:
                marks = ", ".join("?" for _ in row)
                connection.execute(f"INSERT INTO {quoted(table)} VALUES ({marks})", row)

    def on_server(self, statement: str, values: Any = None) -> None:
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(statement, values)

    def store(self, table: str, rows: Rows) -> None:
        for row in rows:
            marks = ", ".join("%s" for _ in row)
            self.on_server(f"INSERT INTO {quoted(table)} VALUES ({marks})", row)

    def catalogue(self) -> target.Catalogue:
        with closing(self.connection.cursor()) as cursor:
            return target.catalogue(cursor)

    def plan(self) -> Plan:
        """Each table to the one of its name, column by column."""
        found = self.saved or self.catalogue()
        with closing(sqlite3.connect(self.file)) as connection:
            names = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            ).fetchall()
            moves = [_move(connection, name, found.tables[name]) for (name,) in names]
        return Plan(self.encoding, tuple(moves), ())

    def prove(self, plan: Plan | None = None, jobs: int = 1) -> Proof:
        saved = self.saved or self.catalogue()
        return verify.verify(plan or self.plan(), self.file, self.connect, jobs=jobs, saved=saved)


def _move(connection: sqlite3.Connection, name: str, table: target.Table) -> Move:
    found = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
    ((without,),) = connection.execute(
        "SELECT wr FROM pragma_table_list WHERE name = ?", [name]
    ).fetchall()
    columns = {one.name: one for one in table.columns}
    links = tuple(Link(row[1], columns[row[1]]) for row in found)
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()
    return Move(
        source=name,
        schema="public",
        table=name,
        links=links,
        rowid=None if without else "rowid",
        source_key=tuple(row[1] for row in sorted(found, key=lambda row: row[5]) if row[5]),
        key=tuple(link for link in links if link.column.name in table.primary_key),
        rows=rows,
    )


@pytest.fixture
def sides(servers: Servers, tmp_path: Path) -> Iterator[Sides]:
    with (
        databases.on_server(servers, databases.BARE) as name,
        databases.superuser(servers, name) as connection,
    ):

        def connect() -> Connection:
            return psycopg2.connect(
                host=HOST,
                port=servers.postgres_port,
                user="postgres",
                password=servers.superuser_password,
                dbname=name,
            )

        yield Sides(tmp_path / "old.db", connection, connect)


def one_column(sides: Sides, type_name: str, values: list[tuple[Any, Any]]) -> None:
    """Rows with a key and a value, as the file has it and as the server has it."""
    sides.on_file("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    sides.on_server(f"CREATE TABLE t (id int8 PRIMARY KEY, a {type_name})")
    sides.put("t", [(at, mine) for at, (mine, _) in enumerate(values)])
    sides.store("t", [(at, theirs) for at, (_, theirs) in enumerate(values)])


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


def people(sides: Sides, *names: str) -> None:
    """The same rows on both sides, numbered from 1."""
    sides.on_file("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT)")
    sides.on_server("CREATE TABLE t (id serial PRIMARY KEY, a text DEFAULT 'none')")
    sides.put("t", list(enumerate(names, 1)))
    sides.store("t", list(enumerate(names, 1)))
    sides.on_server("SELECT setval('t_id_seq', %s, false)", [len(names) + 1])


def different(proof: Proof) -> list[str]:
    """The columns that differ, after the name of each table whose count does."""
    assert not proof.is_equal
    assert proof.problems
    found = []
    for table in proof.tables:
        found += [] if table.rows.is_equal else [table.source]
        found += [f"{table.source}.{one.target}" for one in table.columns if not one.is_equal]
    return found


def test_values_in_each_others_rows_are_found(sides: Sides) -> None:
    people(sides, "alice", "bob", "charlie")
    assert sides.prove().is_equal
    sides.on_server("UPDATE t SET a = CASE id WHEN 1 THEN 'bob' ELSE 'alice' END WHERE id < 3")
    proof = sides.prove()
    assert different(proof) == ["t.a"]
    (column,) = (one for one in proof.tables[0].columns if one.target == "a")
    assert column.least.is_equal
    assert column.most.is_equal


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ("DELETE FROM t WHERE id = 2", "2"),
        ("INSERT INTO t VALUES (2, 'bob')", "4"),
        ("INSERT INTO t VALUES (-1, 'root')", "4"),
    ],
)
def test_a_missing_row_and_one_too_many_are_found(sides: Sides, change: str, rows: str) -> None:
    people(sides, "alice", "bob", "charlie")
    plan = sides.plan()
    sides.on_server("ALTER TABLE t DROP CONSTRAINT t_pkey")
    sides.on_server(change)
    proof = sides.prove(plan)
    assert different(proof) == ["t", "t.id", "t.a"]
    assert (proof.tables[0].rows.source, proof.tables[0].rows.target) == ("3", rows)


def test_rows_without_a_key_are_compared_as_wholes(sides: Sides) -> None:
    sides.on_file("CREATE TABLE t (a, b, c)")
    sides.on_server("CREATE TABLE t (a text, b int4, c jsonb)")
    rows: Rows = [("x", 1, "[1]"), ("y", 2, None), (None, 3, "[2]"), ("x", 1, "[1]")]
    sides.put("t", rows)
    sides.store("t", list(reversed(rows)))
    proof = sides.prove()
    assert proof.is_equal
    assert [one.target for one in proof.tables[0].columns] == ["a", "b", "c", ""]
    sides.on_server("UPDATE t SET b = 5 - b WHERE b IN (2, 3)")
    proof = sides.prove()
    assert different(proof) == ["t."]
    assert "other rows" in proof.problems[0]
    sides.on_server("UPDATE t SET b = 5 - b WHERE b IN (2, 3)")
    assert sides.prove().is_equal
    sides.on_server("UPDATE t SET c = '[3]' WHERE b = 3")
    assert different(sides.prove()) == ["t.c", "t."]


def test_a_key_of_several_columns_binds_its_row(sides: Sides) -> None:
    sides.on_file("CREATE TABLE t (a TEXT, b INT, c, d, PRIMARY KEY (b, a)) WITHOUT ROWID")
    sides.on_server("CREATE TABLE t (a uuid, b int2, c text, d bool, PRIMARY KEY (a, b))")
    uuid = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
    rows: Rows = [
        (uuid, 1, "x", True),
        (uuid, 2, "y", False),
        (uuid.replace("6", "7"), 1, "z", None),
    ]
    sides.put("t", rows)
    sides.store("t", rows)
    assert sides.prove().is_equal
    sides.on_server("UPDATE t SET c = CASE c WHEN 'x' THEN 'y' ELSE 'x' END WHERE c <> 'z'")
    assert different(sides.prove()) == ["t.c"]


QUARANTINE = """
CREATE SCHEMA legacy;
CREATE TABLE legacy.import_quarantine (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_table text, target_schema text, target_table text, source_rowid bigint,
    source_key jsonb, column_name text, reason text);
"""


def quarantine(sides: Sides, rowid: int | None, key: str = "{}") -> None:
    sides.on_server(
        "INSERT INTO legacy.import_quarantine"
        " (source_table, target_schema, target_table, source_rowid, source_key)"
        " VALUES ('t', 'public', 't', %s, %s)",
        [rowid, key],
    )


def test_rows_in_quarantine_are_left_out(sides: Sides) -> None:
    people(sides, "alice", "bob")
    sides.put("t", [(3, b"bytes"), (4, "root")])
    sides.store("t", [(4, "root")])
    sides.on_server("SELECT setval('t_id_seq', 4)")
    sides.on_server(QUARANTINE)
    assert different(sides.prove()) == ["t", "t.id", "t.a"]
    quarantine(sides, 3)
    proof = sides.prove()
    assert proof.problems == ()
    assert (proof.tables[0].quarantined, proof.tables[0].rows.source) == (1, "3")
    quarantine(sides, 99)
    assert "1" in sides.prove().problems[0]


def test_rows_without_rowid_are_left_out_by_their_key(sides: Sides) -> None:
    sides.on_file("CREATE TABLE t (a TEXT, b INT, c, PRIMARY KEY (b, a)) WITHOUT ROWID")
    sides.on_server("CREATE TABLE t (a text, b int8, c int4, PRIMARY KEY (a, b))")
    sides.put("t", [("x", 1, 1), ("x", 2, "bad"), ("1", 2, 3)])
    sides.store("t", [("x", 1, 1), ("1", 2, 3)])
    sides.on_server(QUARANTINE)
    quarantine(sides, None, '{"a": "x", "b": 2}')
    assert sides.prove().problems == ()


def test_what_is_made_of_a_text_is_compared(sides: Sides) -> None:
    sides.on_file("CREATE TABLE t (id INTEGER PRIMARY KEY, key TEXT)")
    sides.on_server(
        "CREATE TABLE t (id int4 PRIMARY KEY, key_hash varchar(64), prefix varchar(12))"
    )
    sides.put("t", [(1, "mg_水循环-secret-key"), (2, "short")])
    sides.on_server(
        "INSERT INTO t SELECT id, encode(sha256(convert_to(key, 'UTF8')), 'hex'), left(key, 10)"
        " FROM (VALUES (1, 'mg_水循环-secret-key'), (2, 'short')) AS keys (id, key)"
    )
    columns = {one.name: one for one in sides.catalogue().tables["t"].columns}
    number = Link("id", columns["id"])
    links = (
        number,
        Link("key", columns["key_hash"], "sha256"),
        Link("key", columns["prefix"], "prefix"),
    )
    move = Move("t", "public", "t", links, "id", ("id",), (number,), 2)
    plan = Plan("UTF-8", (move,), ())
    assert sides.prove(plan).problems == ()
    sides.on_server("UPDATE t SET prefix = 'shor' WHERE id = 2")
    assert different(sides.prove(plan)) == ["t.prefix"]


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_a_file_in_utf16_is_read_exactly(sides: Sides, encoding: str) -> None:
    sides.encoding = encoding
    sides.on_file(f"PRAGMA encoding = '{encoding}'", "CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    sides.on_server("CREATE TABLE t (id int4 PRIMARY KEY, a text)")
    sides.put("t", [(1, "水循环 🎓"), (2, ""), (3, None), (4, 5)])
    sides.store("t", [(1, "水循环 🎓"), (2, ""), (3, None), (4, "5")])
    assert sides.prove().problems == ()
    half = "3dd84100" if encoding == "UTF-16le" else "d83d0041"
    sides.on_file(f"INSERT INTO t VALUES (5, CAST(x'{half}' AS TEXT))")
    sides.store("t", [(5, "\ufffdA")])
    assert "1 values of a" in sides.prove().problems[0]


def test_text_that_is_no_utf8_is_no_text(sides: Sides) -> None:
    people(sides, "alice", "bob")
    sides.on_file("INSERT INTO t VALUES (3, CAST(x'636166e9' AS TEXT))")
    sides.store("t", [(3, "café")])
    proof = sides.prove()
    assert different(proof) == ["t.a"]
    assert "1 values of a can't be in a" in proof.problems[0]


def test_a_text_with_nul_is_in_no_column_of_text(sides: Sides) -> None:
    people(sides, "alice")
    sides.put("t", [(2, "a\0b")])
    sides.store("t", [(2, "ab")])
    assert different(sides.prove()) == ["t.a"]


def test_large_tables_are_read_by_several_processes(sides: Sides) -> None:
    count = 30_000
    sides.on_file(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        " INSERT INTO t SELECT i * 7 - 100000, 'text ' || i FROM n",
    )
    sides.on_server("CREATE TABLE t (id int4 PRIMARY KEY, a text)")
    sides.on_server(
        f"INSERT INTO t SELECT i * 7 - 100000, 'text ' || i FROM generate_series(1, {count}) AS i"
    )
    several, one = sides.prove(jobs=2), sides.prove(jobs=1)
    assert several.is_equal
    assert several.tables[0].columns == one.tables[0].columns
    sides.on_server("UPDATE t SET a = 'text 29998' WHERE a = 'text 29999'")
    assert different(sides.prove(jobs=2)) == ["t.a"]


def test_more_columns_than_a_result_has_room_for(sides: Sides) -> None:
    names = ", ".join(f"c{at} INTEGER" for at in range(600))
    for make in (sides.on_file, sides.on_server):
        make(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {names})")
    sides.put("t", [tuple(range(601))])
    sides.store("t", [tuple(range(601))])
    assert sides.prove().is_equal
    sides.on_server("UPDATE t SET c555 = 0")
    assert different(sides.prove()) == ["t.c555"]


@pytest.mark.parametrize("name", ['Mixed "Case"', "表 %s", "a{b}", "select"])
def test_any_name_is_compared(sides: Sides, name: str) -> None:
    quoted_name = quoted(name)
    for make in (sides.on_file, sides.on_server):
        make(f"CREATE TABLE {quoted_name} ({quoted_name} INTEGER PRIMARY KEY, a TEXT)")
    sides.put(name, [(1, "x")])
    sides.on_server(f"INSERT INTO {quoted_name.replace('%', '%%')} VALUES (1, %s)", ["x"])
    assert sides.prove().problems == ()


def test_an_empty_table_is_equal_to_an_empty_one(sides: Sides) -> None:
    people(sides)
    assert sides.prove().tables[0].rows.source == "0"
    assert sides.prove().is_equal


SCHEMA = [
    ("DROP INDEX by_a", "the index by_a is gone"),
    ("ALTER TABLE t ALTER a DROP DEFAULT", "the column a is not what it was: default was"),
    ("ALTER TABLE t ALTER b DROP NOT NULL", "the column b is not what it was: nullable was False"),
    ("ALTER TABLE t ALTER b TYPE int8", "the column b is not what it was: type was int4"),
    ("ALTER TABLE t DROP CONSTRAINT large", "the constraint large is gone"),
    (
        "ALTER TABLE t DROP CONSTRAINT large, ADD CONSTRAINT large CHECK (b > 5) NOT VALID",
        "the constraint large is not what it was: definition was",
    ),
    ("ALTER TABLE t ALTER c DROP IDENTITY", "the column c is not what it was: identity was"),
    ("ALTER TABLE t ADD UNIQUE (b)", "the constraint t_b_key is new"),
    ("ALTER TABLE other RENAME TO another", "the table public.other is gone"),
]


@pytest.mark.parametrize(("change", "expected"), SCHEMA)
def test_a_changed_schema_is_found(sides: Sides, change: str, expected: str) -> None:
    sides.on_server(
        "CREATE TABLE t (id int4 PRIMARY KEY, a text DEFAULT 'none', b int4 NOT NULL,"
        " c int4 GENERATED ALWAYS AS IDENTITY, CONSTRAINT large CHECK (b > 5));"
        " CREATE INDEX by_a ON t (a) WHERE b > 7; CREATE TABLE other (id int4)"
    )
    sides.on_file("PRAGMA user_version = 1")
    sides.saved = sides.catalogue()
    sides.on_server("ALTER TABLE t ADD import_mark bigint")
    proof = sides.prove()
    assert proof.problems == ()
    assert (proof.checked["constraints"], proof.checked["indexes"]) == (2, 1)
    sides.on_server(change)
    assert any(expected in one for one in sides.prove().problems)


def test_a_sequence_gives_no_id_again(sides: Sides) -> None:
    people(sides, "alice", "bob")
    assert sides.prove().is_equal
    sides.on_server("SELECT setval('t_id_seq', 1)")
    (problem,) = sides.prove().problems
    assert problem == "public.t: the sequence of id gives 2 next, and 2 was given out"
    sides.on_server("SELECT setval('t_id_seq', 3, false)")
    assert sides.prove().is_equal
    # Somebody had number 9 once.
    sides.on_file("UPDATE sqlite_sequence SET seq = 9")
    (problem,) = sides.prove().problems
    assert "gives 3 next, and 9 was given out" in problem
    sides.on_server("SELECT setval('t_id_seq', 9)")
    assert sides.prove().is_equal


def test_a_sequence_that_counts_down_is_checked(sides: Sides) -> None:
    sides.on_file("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (-5)")
    sides.on_server(
        "CREATE TABLE t (id int4 GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY);"
        " INSERT INTO t VALUES (-5)"
    )
    assert "gives -1 next, and -5 was given out" in sides.prove().problems[0]
    sides.on_server("SELECT setval('t_id_seq', -5)")
    assert sides.prove().is_equal


def test_columns_that_the_file_lacks_hold_their_defaults(sides: Sides) -> None:
    sides.on_file("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    sides.on_server(
        "CREATE TABLE t (id int4 PRIMARY KEY, a varchar(9) DEFAULT 'it''s', b jsonb,"
        " c int4 NOT NULL DEFAULT -1, d timestamptz DEFAULT now(), e int4[] DEFAULT '{}'::int4[]);"
        " INSERT INTO t VALUES (1), (2)"
    )
    proof = sides.prove()
    assert proof.problems == ()
    assert proof.checked["other columns"] == 4
    assert proof.checked["other columns that can't be checked"] == 1
    sides.on_server("UPDATE t SET a = NULL WHERE id = 1")
    assert sides.prove().problems[0].startswith("public.t: 1 rows hold something else")
    sides.on_server("UPDATE t SET a = 'it''s', b = '{}'")
    assert sides.prove().problems[0].startswith("public.t: 2 rows hold something else")


def test_what_the_plan_forgets_is_told(sides: Sides) -> None:
    people(sides, "alice")
    plan = sides.plan()
    sides.on_file("CREATE TABLE forgotten (a)", "ALTER TABLE t ADD b")
    assert set(sides.prove(plan).problems) == {
        "the table forgotten of the file has no place in the plan",
        "the column t.b of the file has no place in the plan",
    }
    left = (LeftOut("forgotten", "table", "empty"), LeftOut("t.b", "column", "always NULL"))
    assert sides.prove(replace(plan, left_out=left)).is_equal


def test_a_lost_connection_is_no_verdict(sides: Sides) -> None:
    people(sides, "alice")
    plan = sides.plan()

    def lost() -> Connection:
        connection = sides.connect()
        pid = connection.info.backend_pid
        sides.on_server("SELECT pg_terminate_backend(%s, 10000)", [pid])
        return connection

    with pytest.raises(psycopg2.OperationalError):
        verify.verify(plan, sides.file, lost, jobs=1, saved=sides.catalogue())


def test_nothing_is_written_by_the_proof(sides: Sides) -> None:
    people(sides, "alice")
    before = sides.file.read_bytes()
    assert sides.prove().is_equal
    assert sides.file.read_bytes() == before
    assert [one.name for one in sides.file.parent.iterdir()] == ["old.db"]
