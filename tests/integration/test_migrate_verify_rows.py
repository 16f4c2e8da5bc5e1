"""Rows are proved to be in PostgreSQL as they are in the file, each as a whole."""

from collections.abc import Mapping

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from app.ops.migrate import quarantine, verify
from app.ops.migrate.catalogue import quoted
from app.ops.migrate.plan import LEGACY, Link, Move, Plan
from tests.proofs import Rows, Sides, different, people, sides

__all__ = ["sides"]


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


def make_quarantine(sides: Sides) -> None:
    with sides.connection.cursor() as cursor:
        quarantine.make(cursor, sides.plan())


def put_into_quarantine(
    sides: Sides, rowid: int | None, key: Mapping[str, tuple[str, str]] | None = None
) -> None:
    sides.on_server(
        "INSERT INTO legacy.import_quarantine"
        " (id, source_table, target_schema, target_table, source_rowid, source_key, reason)"
        " VALUES (%s, 't', 'public', 't', %s, '{}', 'for a test')",
        [rowid or 1, rowid],
    )
    for name, (kind, value) in (key or {}).items():
        sides.on_server(
            "INSERT INTO legacy.import_quarantine_values VALUES (%s, %s, %s, %s)",
            [rowid or 1, name, kind, value.encode()],
        )


def test_rows_in_quarantine_are_left_out(sides: Sides) -> None:
    people(sides, "alice", "bob")
    sides.put("t", [(3, b"bytes"), (4, "root")])
    sides.store("t", [(4, "root")])
    sides.on_server("SELECT setval('t_id_seq', 4)")
    make_quarantine(sides)
    assert different(sides.prove()) == ["t", "t.id", "t.a"]
    put_into_quarantine(sides, 3)
    proof = sides.prove()
    assert proof.problems == ()
    assert (proof.tables[0].quarantined, proof.tables[0].rows.source) == (1, "3")
    put_into_quarantine(sides, 99)
    assert "1" in sides.prove().problems[0]


def test_rows_without_rowid_are_left_out_by_their_key(sides: Sides) -> None:
    sides.on_file("CREATE TABLE t (a TEXT, b INT, c, PRIMARY KEY (b, a)) WITHOUT ROWID")
    sides.on_server("CREATE TABLE t (a text, b int8, c int4, PRIMARY KEY (a, b))")
    sides.put("t", [("x", 1, 1), ("x", 2, "bad"), ("1", 2, 3)])
    sides.store("t", [("x", 1, 1), ("1", 2, 3)])
    make_quarantine(sides)
    put_into_quarantine(sides, None, {"a": ("text", "x"), "b": ("integer", "2")})
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
    plan = Plan("UTF-8", (move,), (), LEGACY)
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
