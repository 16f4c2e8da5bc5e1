"""All that a SQLite file holds is known, and told apart from what holds no rows."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.ops.migrate import catalogue as catalogues
from app.ops.migrate import schema, source
from app.ops.migrate.catalogue import Catalogue, ForeignKey, Index, IndexColumn, Other, Table
from app.ops.migrate.source import SourceUnusable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def read(file: Path, *statements: str) -> Catalogue:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    with source.opened(file) as opened:
        return schema.catalogue(opened.connection)


def table(file: Path, *statements: str, name: str = "t") -> Table:
    found = read(file, *statements).table(name)
    assert found
    return found


def test_tables_like_the_old_services_are_read(file: Path) -> None:
    """The shapes of shared/legacy: plain keys, cascades, and a full-text index with triggers."""
    found = read(
        file,
        "CREATE TABLE users (id INTEGER NOT NULL, phone VARCHAR(20) NOT NULL, rules JSON,"
        " cost FLOAT, is_active BOOLEAN, created_at DATETIME, PRIMARY KEY (id))",
        "CREATE UNIQUE INDEX ix_users_phone ON users (phone)",
        "CREATE TABLE chunks (id INTEGER NOT NULL, user_id INTEGER NOT NULL, text TEXT NOT NULL,"
        " embedding BLOB, PRIMARY KEY (id), CONSTRAINT uq_chunk UNIQUE (user_id, text),"
        " FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE)",
        "CREATE VIRTUAL TABLE chunks_fts5 USING fts5(text, content='chunks', content_rowid='id')",
        "CREATE TRIGGER chunks_insert AFTER INSERT ON chunks BEGIN"
        " INSERT INTO chunks_fts5 (rowid, text) VALUES (new.id, new.text); END",
        "INSERT INTO chunks VALUES (1, 1, 'words', x'00')",
    )
    assert found.encoding == "UTF-8"
    assert found.counts() == {"table": 2, "virtual": 1, "shadow": 4, "trigger": 1}
    users = found.table("users")
    assert users
    assert [(one.name, one.declared, one.affinity) for one in users.columns] == [
        ("id", "INTEGER", "INTEGER"),
        ("phone", "VARCHAR(20)", "TEXT"),
        ("rules", "JSON", "NUMERIC"),
        ("cost", "FLOAT", "REAL"),
        ("is_active", "BOOLEAN", "NUMERIC"),
        ("created_at", "DATETIME", "NUMERIC"),
    ]
    assert [one.not_null for one in users.columns] == [True, True, False, False, False, False]
    assert (users.key, users.rowid, users.autoincrement) == (("id",), "id", False)
    chunks = found.table("chunks")
    assert chunks
    assert chunks.foreign_keys == (
        ForeignKey(("user_id",), "users", ("id",), "NO ACTION", "CASCADE"),
    )
    [unique] = chunks.indexes
    assert (unique.origin, unique.unique, unique.sql) == ("unique", True, None)
    assert [one.name for one in unique.columns] == ["user_id", "text"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("", "BLOB"),
        ("INT", "INTEGER"),
        ("unsigned big int", "INTEGER"),
        ("CHARINT", "INTEGER"),
        ("FLOATING POINT", "INTEGER"),
        ("NATIVE CHARACTER(70)", "TEXT"),
        ("clob", "TEXT"),
        ("TEXTBLOB", "TEXT"),
        ("BLOB", "BLOB"),
        ("DOUBLE PRECISION", "REAL"),
        ("float", "REAL"),
        ("STRING", "NUMERIC"),
        ("DECIMAL(10,5)", "NUMERIC"),
    ],
)
def test_the_affinity_is_the_one_that_sqlite_gives(
    file: Path, declared: str, expected: str
) -> None:
    [column] = table(file, f"CREATE TABLE t (a {declared})").columns
    assert column.affinity == catalogues.affinity(declared) == expected
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO t VALUES ('1.50')")
        stored = connection.execute("SELECT a FROM t").fetchone()[0]
    numeric = expected in {"INTEGER", "NUMERIC", "REAL"}
    assert stored == (1.5 if numeric else "1.50")


def test_the_name_of_the_rowid_is_found(file: Path) -> None:
    found = read(
        file,
        "CREATE TABLE a (x integer PRIMARY KEY, y)",
        "CREATE TABLE b (x INTEGER PRIMARY KEY DESC)",
        "CREATE TABLE c (x INT PRIMARY KEY)",
        "CREATE TABLE d (RowId TEXT, oid)",
        "CREATE TABLE e (rowid, oid, _rowid_)",
        "CREATE TABLE f (x INTEGER, y, PRIMARY KEY (y, x)) WITHOUT ROWID",
    )
    assert {one.name: one.rowid for one in found.tables} == {
        "a": "x",
        "b": "rowid",
        "c": "rowid",
        "d": "_rowid_",
        "e": None,
        "f": None,
    }
    last = found.tables[-1]
    assert (last.without_rowid, last.key) == (True, ("y", "x"))
    assert [one.collation for one in last.columns] == ["BINARY", "BINARY"]


def test_the_highest_id_ever_given_out_is_known(file: Path) -> None:
    found = read(
        file,
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE unused (id INTEGER PRIMARY KEY autoincrement)",
        "CREATE TABLE other (id INTEGER PRIMARY KEY, \"AUTOINCREMENT\" DEFAULT ' AUTOINCREMENT'"
        " /* AUTOINCREMENT */) -- AUTOINCREMENT",
        "INSERT INTO t VALUES (4711)",
        "DELETE FROM t",
        "INSERT INTO sqlite_sequence VALUES ('other', 'rubbish'), (NULL, 3)",
    )
    assert {one.name: (one.autoincrement, one.sequence) for one in found.tables} == {
        "t": (True, 4711),
        "unused": (True, None),
        "other": (False, None),
    }


def test_generated_columns_are_told_apart(file: Path) -> None:
    found = table(
        file,
        "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a * 2), c TEXT AS (a || 'x') STORED,"
        " d DEFAULT (1 + 1))",
    )
    assert [(one.name, one.declared, one.kind, one.default) for one in found.columns] == [
        ("a", "INT", "plain", None),
        ("b", "INT", "virtual", None),
        ("c", "TEXT", "stored", None),
        ("d", "", "plain", "1 + 1"),
    ]
    assert [one.name for one in found.plain] == ["a", "d"]


def test_strict_tables_keep_any_value_as_it_is(file: Path) -> None:
    found = table(file, "CREATE TABLE t (a ANY, b INT) STRICT")
    assert found.strict
    assert [one.affinity for one in found.columns] == ["BLOB", "INTEGER"]


def test_indexes_are_read_with_what_makes_rows_equal(file: Path) -> None:
    found = table(
        file,
        "CREATE TABLE t (a TEXT COLLATE NOCASE, b TEXT COLLATE rtrim, c TEXT, UNIQUE (a, b),"
        " PRIMARY KEY (c))",
        "CREATE UNIQUE INDEX \"where\" ON t (c COLLATE NOCASE DESC) WHERE b = 'where (' AND a > 1",
        "CREATE INDEX computed ON t (lower(a), b)",
    )
    assert [one.collation for one in found.columns] == ["NOCASE", "RTRIM", "BINARY"]
    unique, key, partial, computed = found.indexes
    assert [(one.name, one.collation) for one in unique.columns] == [
        ("a", "NOCASE"),
        ("b", "rtrim"),
    ]
    assert (unique.origin, key.origin, key.unique) == ("unique", "key", True)
    assert partial == Index(
        "where",
        (IndexColumn("c", "NOCASE", True),),
        True,
        "index",
        "b = 'where (' AND a > 1",
        "CREATE UNIQUE INDEX \"where\" ON t (c COLLATE NOCASE DESC) WHERE b = 'where (' AND a > 1",
    )
    assert [one.name for one in computed.columns] == [None, "b"]
    assert (computed.unique, computed.where) == (False, None)


def test_foreign_keys_of_every_form_are_read(file: Path) -> None:
    found = table(
        file,
        "CREATE TABLE Parent (X INT, y INT, PRIMARY KEY (y, X))",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, up INT REFERENCES t, a INT, b INT,"
        " gone INT REFERENCES nowhere (id), FOREIGN KEY (a, b) REFERENCES PARENT (x, Y)"
        " ON UPDATE CASCADE ON DELETE SET NULL, FOREIGN KEY (b, a) REFERENCES parent)",
    )
    assert found.foreign_keys == (
        ForeignKey(("up",), "t", ("id",), "NO ACTION", "NO ACTION"),
        ForeignKey(("gone",), "nowhere", ("id",), "NO ACTION", "NO ACTION"),
        ForeignKey(("a", "b"), "Parent", ("X", "y"), "CASCADE", "SET NULL"),
        ForeignKey(("b", "a"), "Parent", ("y", "X"), "NO ACTION", "NO ACTION"),
    )


def test_what_holds_no_rows_of_its_own_is_listed_apart(file: Path) -> None:
    found = read(
        file,
        "CREATE TABLE t (a)",
        "CREATE VIEW good AS SELECT a FROM t",
        "CREATE VIEW broken AS SELECT a FROM nowhere",
        "CREATE TRIGGER changed AFTER UPDATE ON t BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE own USING fts5(a)",
        "CREATE VIRTUAL TABLE of_t USING fts4(a, content='t')",
        "CREATE VIRTUAL TABLE places USING rtree(id, x0, x1)",
        "CREATE TABLE own_notes (a)",
        "ANALYZE",
    )
    assert [one.name for one in found.tables] == ["t", "own_notes"]
    named = {one.name: one for one in found.others}
    assert {one.kind for name, one in named.items() if name in {"good", "broken"}} == {"view"}
    changed = "CREATE TRIGGER changed AFTER UPDATE ON t BEGIN SELECT 1; END"
    assert named["changed"] == Other("changed", "trigger", "t", changed)
    assert named["own_content"].table == "own"
    virtual = {name: one.keeps_rows for name, one in named.items() if one.kind == "virtual"}
    assert virtual == {"own": True, "of_t": False, "places": True}
    assert found.counts()["view"] == 2


def test_shadows_of_a_module_that_is_missing_are_kept_as_tables(file: Path) -> None:
    found = read(
        file,
        "CREATE TABLE v_data (a)",
        "PRAGMA writable_schema=ON",
        "INSERT INTO sqlite_schema VALUES"
        " ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING of_somebody(a)')",
    )
    assert found.counts() == {"table": 1, "virtual": 1}
    assert found.others[0].keeps_rows


@pytest.mark.parametrize(
    "name",
    ['a "quoted" one', "it's", "MixedCase", "select", "表 🎓", "[x]", "a`b", "", "%s ? :x", "-"],
)
def test_any_name_is_quoted_right(file: Path, name: str) -> None:
    quoted = catalogues.quoted(name)
    index = catalogues.quoted(f"{name} index")
    found = table(
        file,
        f"CREATE TABLE {quoted} ({quoted} TEXT COLLATE NOCASE PRIMARY KEY, up REFERENCES {quoted})",
        f"CREATE INDEX {index} ON {quoted} ({quoted})",
        f"INSERT INTO {quoted} VALUES ('a', NULL), ('b', NULL)",
        name=name,
    )
    assert (found.columns[0].name, found.columns[0].collation) == (name, "NOCASE")
    assert found.key == (name,)
    assert {one.name for one in found.indexes} >= {f"{name} index"}
    assert found.foreign_keys[0].parent == name
    with source.opened(file) as opened:
        assert catalogues.count_rows(opened.connection, name) == 2


def test_a_collation_that_only_the_old_program_has_is_named(file: Path) -> None:
    found = table(
        file,
        "CREATE TABLE t (a TEXT)",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a TEXT COLLATE chinese)'",
    )
    assert found.columns[0].collation == "chinese"


def test_functions_that_only_the_old_program_has_are_no_obstacle(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.create_function("own", 1, lambda value: value, deterministic=True)
        connection.execute("CREATE TABLE t (a CHECK (own(a)), b AS (own(a)), c)")
        connection.execute("CREATE INDEX i ON t (own(c)) WHERE own(a)")
        connection.execute("INSERT INTO t VALUES (1, 2)")
    found = table(file)
    assert [(one.name, one.kind) for one in found.columns] == [
        ("a", "plain"),
        ("b", "virtual"),
        ("c", "plain"),
    ]
    assert found.indexes[0].where == "own(a)"
    with source.opened(file) as opened:
        assert catalogues.count_rows(opened.connection, "t") == 1
        assert opened.connection.execute("SELECT a, c FROM t").fetchall() == [(1, 2)]


def test_a_file_without_tables_and_one_in_utf16_are_read(file: Path, tmp_path: Path) -> None:
    assert read(file, "PRAGMA user_version=1").counts() == {"table": 0}
    found = read(
        tmp_path / "b.db", "PRAGMA encoding='UTF-16le'", "CREATE TABLE 表 (列 TEXT DEFAULT '默认')"
    )
    assert found.encoding == "UTF-16le"
    [column] = found.tables[0].columns
    assert (found.tables[0].name, column.name, column.default) == ("表", "列", "'默认'")
    assert column.collation == "BINARY"


def test_a_name_that_is_no_utf8_is_refused_by_its_bytes(file: Path) -> None:
    with pytest.raises(SourceUnusable, match=r"the name caf\\xe9 in the file is no valid UTF-8"):
        read(
            file,
            "CREATE TABLE t (a)",
            "PRAGMA writable_schema=ON",
            "UPDATE sqlite_schema SET name = CAST(x'636166e9' AS TEXT),"
            " tbl_name = CAST(x'636166e9' AS TEXT),"
            " sql = CAST(x'435245415445205441424c4520636166e9202861 29' AS TEXT)".replace(
                " 29", "29"
            ),
        )
