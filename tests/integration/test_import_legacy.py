"""What the target has no place for is kept in schema legacy, with types that hold its values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.ops.migrate.plans import PlanImpossible
from tests import imports
from tests.imports import Import
from tests.servers import Servers

LONG = "x" * 60
TARGET = (
    "CREATE TABLE users (id int8 PRIMARY KEY, name text)",
    'CREATE TABLE "Users" (id int8 PRIMARY KEY, name text)',
    'CREATE TABLE "CamelCase" ("someName" int8 PRIMARY KEY, "Other" text)',
    "CREATE TABLE keyless (a int4)",
    "CREATE TABLE by_key (id int8 PRIMARY KEY, a int4)",
    "CREATE TABLE mandatory (id int8 PRIMARY KEY, added text NOT NULL)",
    "CREATE TABLE rowids (rowid text PRIMARY KEY, a int4)",
    "CREATE TABLE umlauts (id int8 PRIMARY KEY, ä text)",
)
FILE = (
    "CREATE TABLE Users (id INTEGER PRIMARY KEY, Name, extra)",
    "INSERT INTO Users VALUES (1, 'a', 'more'), (2, x'00', NULL)",
    "CREATE TABLE camelcase (SOMENAME INTEGER PRIMARY KEY, other)",
    "INSERT INTO camelcase VALUES (1, 'x')",
    "CREATE TABLE keyless (a, b)",
    "INSERT INTO keyless VALUES (1, 'x'), (1, 'y')",
    "CREATE TABLE by_key (id INTEGER PRIMARY KEY, a, b REAL, c TEXT)",
    "INSERT INTO by_key VALUES (1, 1, 0.5, NULL), (2, 'bad', 1, 'c')",
    "CREATE TABLE mandatory (id INTEGER PRIMARY KEY, old)",
    "INSERT INTO mandatory VALUES (1, 'x')",
    "CREATE TABLE rowids (rowid TEXT PRIMARY KEY, a)",
    "INSERT INTO rowids VALUES ('one', 1), ('two', 'bad')",
    'CREATE TABLE umlauts (id INTEGER PRIMARY KEY, "Ä", "ä")',
    "INSERT INTO umlauts VALUES (1, 'large', 'small')",
    "CREATE TABLE mixed (id INTEGER PRIMARY KEY, numbers, words, bytes, things, unused TEXT)",
    "INSERT INTO mixed VALUES (1, 1, 'a', x'00', 1, NULL), (2, 0.5, 7, 'text', x'01', NULL),"
    " (3, NULL, 0.25, NULL, 'x', NULL)",
    "CREATE TABLE declared (id INTEGER PRIMARY KEY, flag BOOLEAN, moment DATETIME, day DATE,"
    " document JSON, off BOOLEAN, mostly DATETIME, days DATE, broken JSON, zero DATETIME)",
    "INSERT INTO declared VALUES (1, 1, '2026-01-02 03:04:05.000001', '2026-01-02', '{\"a\":  1}',"
    " 1, '2026-01-02 03:04:05', '2026-01-02', '{}', NULL),"
    " (2, 0, '2026-01-02T03:04:05', NULL, 'null', 2, 'now', '0000-01-01', '{',"
    " '0000-01-01 00:00:00')",
    "CREATE TABLE import_state (id INTEGER PRIMARY KEY)",
    "INSERT INTO import_state VALUES (1)",
    "CREATE TABLE import_quarantine (id INTEGER PRIMARY KEY, reason)",
    "INSERT INTO import_quarantine VALUES (1, 'mine')",
    f'CREATE TABLE "{LONG}abcdef" ("{LONG}abcdef", "{LONG}abcghi")',
    f'INSERT INTO "{LONG}abcdef" VALUES (1, 2)',
    f'CREATE TABLE "{LONG}abcxyz" (a)',
    f'INSERT INTO "{LONG}abcxyz" VALUES (3)',
    f'CREATE TABLE "{"水" * 30}" ("{"循" * 30}")',
    f'INSERT INTO "{"水" * 30}" VALUES (4)',
    'CREATE TABLE "select" ("from" INTEGER PRIMARY KEY, "a ""quoted"" one", "100%", "a%sb")',
    'INSERT INTO "select" VALUES (1, 2, 3, 4)',
    'CREATE TABLE "100% of %s" (xmin, ctid, "" TEXT)',
    "INSERT INTO \"100% of %s\" VALUES (1, 2, 'x')",
    'CREATE TABLE "" (a)',
    'INSERT INTO "" VALUES (5)',
    'CREATE TABLE "legacy.old" (a)',
    'INSERT INTO "legacy.old" VALUES (6)',
    "CREATE TABLE old (a)",
    "INSERT INTO old VALUES (7)",
    "CREATE TABLE indexed (a TEXT, b)",
    "CREATE INDEX indexed_a ON indexed (a COLLATE NOCASE) WHERE b > 1",
    "CREATE TABLE keyed (k TEXT PRIMARY KEY, a) WITHOUT ROWID",
    "INSERT INTO keyed VALUES ('a', 1), ('b' || char(0), 2)",
)
# By table of schema legacy: its columns with their types, and its rows.
CASES: dict[str, tuple[list[tuple[str, str]], imports.Rows]] = {
    "Users": ([("id", "int8"), ("extra", "text")], [(1, "more"), (2, None)]),
    "keyless": ([("a", "int8"), ("b", "text")], [(1, "x"), (1, "y")]),
    "by_key": ([("id", "int8"), ("b", "float8"), ("c", "text")], [(1, 0.5, None), (2, 1.0, "c")]),
    "mandatory": ([("id", "int8"), ("old", "text")], [(1, "x")]),
    "umlauts": ([("id", "int8"), ("ä", "text")], [(1, "small")]),
    "import_state_1": ([("id", "int8")], [(1,)]),
    "import_quarantine_1": ([("id", "int8"), ("reason", "text")], [(1, "mine")]),
    f"{LONG}abc": ([(f"{LONG}abc", "int8"), (f"{LONG}a_1", "int8")], [(1, 2)]),
    f"{LONG}a_1": ([("a", "int8")], [(3,)]),
    "水" * 21: ([("循" * 21, "int8")], [(4,)]),
    "select": (
        [("from", "int8"), ('a "quoted" one', "int8"), ("100%", "int8"), ("a%sb", "int8")],
        [(1, 2, 3, 4)],
    ),
    "100% of %s": ([("xmin_1", "int8"), ("ctid_1", "int8"), ("unnamed", "text")], [(1, 2, "x")]),
    "unnamed": ([("a", "int8")], [(5,)]),
    "old": ([("a", "int8")], [(6,)]),
    "old_1": ([("a", "int8")], [(7,)]),
    "indexed": ([("a", "text"), ("b", "bytea")], []),
    "keyed": ([("k", "text"), ("a", "int8")], [("a", 1)]),
}


@pytest.fixture(scope="module")
def moved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path_factory.mktemp("legacy")) as made:
        made.on_server(*TARGET)
        made.on_file(*FILE)
        made.run()
        yield made


def columns(moved: Import, table: str) -> list[Any]:
    return moved.select(
        "SELECT column_name::text, udt_name::text FROM information_schema.columns"
        " WHERE table_schema = 'legacy' AND table_name = %s ORDER BY ordinal_position",
        (table,),
    )


@pytest.mark.parametrize("table", CASES)
def test_what_the_target_lacks_is_kept(moved: Import, table: str) -> None:
    wanted, rows = CASES[table]
    assert columns(moved, table) == wanted
    assert moved.rows(table, "legacy") == rows


def test_values_of_several_kinds_are_kept_in_a_type_that_holds_all(moved: Import) -> None:
    assert columns(moved, "mixed") == [
        ("id", "int8"),
        ("numbers", "numeric"),
        ("words", "text"),
        ("bytes", "bytea"),
        ("things", "bytea"),
        ("unused", "text"),
    ]
    found = moved.select(
        "SELECT id, numbers::text, words, bytes, things, unused FROM legacy.mixed ORDER BY id"
    )
    assert found == [(2, "0.5", "7", b"text", b"\x01", None), (3, None, "0.25", None, b"x", None)]
    assert moved.refused("mixed") == [("1", "things", "a number in a column of binary data")]


def test_a_declared_type_is_kept_where_each_value_is_of_it(moved: Import) -> None:
    assert columns(moved, "declared") == [
        ("id", "int8"),
        ("flag", "bool"),
        ("moment", "timestamptz"),
        ("day", "date"),
        ("document", "json"),
        ("off", "int8"),
        ("mostly", "text"),
        ("days", "text"),
        ("broken", "text"),
        ("zero", "text"),
    ]
    shown = moved.select(
        "SELECT flag, moment::text, day::text, document::text, off, mostly, days,"
        " broken FROM legacy.declared ORDER BY id"
    )
    assert shown == [
        (
            True,
            "2026-01-02 03:04:05.000001+00",
            "2026-01-02",
            '{"a":  1}',
            1,
            "2026-01-02 03:04:05",
            "2026-01-02",
            "{}",
        ),
        (False, "2026-01-02 03:04:05+00", None, "null", 2, "now", "0000-01-01", "{"),
    ]


def test_names_are_found_as_sqlite_takes_them(moved: Import) -> None:
    assert moved.rows("CamelCase") == [(1, "x")]
    assert moved.rows("Users") == [(1, "a")]
    assert moved.rows("users") == []
    assert moved.rows("umlauts") == [(1, "large")]
    assert moved.rows("rowids") == [("one", 1)]
    assert moved.rows("by_key") == [(1, 1)]
    assert moved.rows("keyless") == [(1,), (1,)]
    assert moved.rows("mandatory") == []


def test_a_table_is_kept_with_its_statements(moved: Import) -> None:
    comments: dict[str, str] = dict(
        moved.select(
            "SELECT relname::text, obj_description(oid, 'pg_class') FROM pg_class"
            " WHERE relnamespace = 'legacy'::regnamespace AND relkind = 'r'"
        )
    )
    assert comments["indexed"] == (
        "CREATE TABLE indexed (a TEXT, b);\n"
        "CREATE INDEX indexed_a ON indexed (a COLLATE NOCASE) WHERE b > 1"
    )
    assert comments["by_key"] == (
        '-- columns of "by_key" that the target lacks\n'
        "CREATE TABLE by_key (id INTEGER PRIMARY KEY, a, b REAL, c TEXT)"
    )


def test_what_no_type_holds_is_in_quarantine(moved: Import) -> None:
    nul = "text with the character U+0000"
    assert moved.refused("keyed") == [('{"k": "b�"}', "k", nul)]


def test_the_proof_finds_nothing_wrong(moved: Import) -> None:
    report = moved.said()
    assert report.proof
    assert report.proof.problems == ()
    assert (report.verdict, report.exit_code) == ("identical except quarantine", 3)


def test_a_table_whose_rows_nothing_tells_apart_is_named(servers: Servers, tmp_path: Path) -> None:
    with imports.prepared(servers, tmp_path) as made:
        made.on_server("CREATE TABLE t (a int4)")
        made.on_file("CREATE TABLE t (rowid, _rowid_, oid)", "INSERT INTO t VALUES (1, 2, 3)")
        with pytest.raises(PlanImpossible, match="t has columns named rowid, _rowid_ and oid"):
            made.run()
        assert made.select("SELECT 1 FROM pg_namespace WHERE nspname = 'legacy'") == []
