"""Files of each kind are moved: both encodings, both journals, and whatever tables SQLite has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import imports, sources
from tests.imports import Import
from tests.servers import Servers

INVALID = "text that is not valid in the file's encoding"
# By encoding: half of a surrogate pair, and a text that has U+0000 in it.
ENCODINGS = {
    "UTF-16le": ("x'41003dd8'", "x'410000004200'"),
    "UTF-16be": ("x'0041d83d'", "x'004100000042'"),
}


@pytest.fixture
def made(servers: Servers, tmp_path: Path) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path) as prepared:
        yield prepared


@pytest.fixture(scope="module")
def moved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path_factory.mktemp("kinds")) as prepared:
        prepared.on_server(*TARGET)
        prepared.on_file(*FILE)
        prepared.run()
        yield prepared


TARGET = (
    "CREATE TABLE notes (id int8 PRIMARY KEY, body text, words int4 GENERATED ALWAYS AS"
    " (length(body)) STORED)",
    "CREATE TABLE prices (id int8 PRIMARY KEY, net numeric, gross numeric, kept text)",
    "CREATE TABLE strict_ones (id int8 PRIMARY KEY, a text, b float8, c bytea, d text)",
    "CREATE TABLE by_text (k text PRIMARY KEY, a int4)",
    "CREATE TABLE by_two (b text, a int4, v text, PRIMARY KEY (a, b))",
    "CREATE TABLE by_blob (k bytea PRIMARY KEY, a int4)",
    "CREATE TABLE by_nocase (k text PRIMARY KEY, a int4)",
    "CREATE TABLE bytes (id int8 PRIMARY KEY, a text, b varchar(3), c jsonb, d bytea)",
    "CREATE TABLE invalid_key (k text PRIMARY KEY, a int4)",
    "CREATE TABLE empty (id int8 PRIMARY KEY, a text)",
    "CREATE TABLE strangers (other int4)",
)
LONG = "k" * 1500
FILE = (
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, words INT)",
    "INSERT INTO notes VALUES (1, 'four', 99), (2, '水循环', 3)",
    "CREATE VIRTUAL TABLE notes_index USING fts5(body, content='notes', content_rowid='id')",
    "INSERT INTO notes_index (notes_index) VALUES ('rebuild')",
    "CREATE TRIGGER notes_added AFTER INSERT ON notes BEGIN SELECT 1; END",
    "CREATE VIEW long_notes AS SELECT * FROM notes WHERE words > 3",
    "CREATE VIRTUAL TABLE own USING fts5(title, body)",
    "INSERT INTO own VALUES ('a', 'first'), ('b', '第二')",
    "CREATE VIRTUAL TABLE boxes USING rtree(id, xmin, xmax, +label TEXT)",
    "INSERT INTO boxes VALUES (1, 0.5, 1.5, 'small'), (7, -2, 8, NULL)",
    "CREATE TABLE prices (id INTEGER PRIMARY KEY, net, gross AS (net * 2) VIRTUAL,"
    " kept TEXT AS ('n' || net) STORED)",
    "INSERT INTO prices (id, net) VALUES (1, 1.25), (2, 7)",
    "CREATE TABLE strict_ones (id INTEGER PRIMARY KEY, a TEXT, b REAL, c BLOB, d ANY) STRICT",
    "INSERT INTO strict_ones VALUES (1, 'a', 2, x'00', 5), (2, NULL, 0.5, x'', 'x'),"
    " (3, 'c', 1, NULL, x'01')",
    "CREATE TABLE by_text (k TEXT PRIMARY KEY, a) WITHOUT ROWID",
    "INSERT INTO by_text VALUES ('', 1), ('水', 'bad'), ('a', 2)",
    f"INSERT INTO by_text VALUES ('{LONG}1', 'bad'), ('{LONG}2', 3), ('{LONG}3', 'bad')",
    "CREATE TABLE by_two (b TEXT, a INT, v, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "INSERT INTO by_two VALUES ('x', 1, 'p'), ('x', 2, x'00'), ('y', 1, 'q')",
    "CREATE TABLE by_blob (k BLOB PRIMARY KEY, a) WITHOUT ROWID",
    "INSERT INTO by_blob VALUES (x'00', 1), (x'ff', 'bad'), ('text', 3), (5, 4)",
    "CREATE TABLE by_nocase (k TEXT COLLATE NOCASE, a, PRIMARY KEY (k COLLATE BINARY))"
    " WITHOUT ROWID",
    "INSERT INTO by_nocase VALUES ('A', 1), ('a', 'bad'), ('b', 'bad'), ('B', 4)",
    "CREATE TABLE bytes (id INTEGER PRIMARY KEY, a, b, c, d)",
    "INSERT INTO bytes VALUES (1, 'good', 'abc', '1', x'00'),"
    " (2, CAST(x'61ff' AS TEXT), '', '', ''), (3, 'a', CAST(x'eda0bd' AS TEXT), '1', ''),"
    " (4, 'a', 'a', CAST(x'22c322' AS TEXT), ''),"
    " (5, 'a', 'a', '1', CAST(x'ff' AS TEXT)),"
    " (6, CAST(x'e6b0' AS TEXT), CAST(x'b4' AS TEXT), 1, 1)",
    "CREATE TABLE invalid_key (k TEXT PRIMARY KEY, a) WITHOUT ROWID",
    "INSERT INTO invalid_key VALUES (CAST(x'ff' AS TEXT), 1), (CAST(x'fe' AS TEXT), 2), ('ok', 3),"
    " (CAST(x'006100' AS TEXT), 4)",
    "CREATE TABLE empty (id INTEGER PRIMARY KEY, a)",
    "CREATE TABLE strangers (mine, yours)",
    "INSERT INTO strangers VALUES (1, 'a'), (1, 'a')",
)
NOT_WHOLE = "text that is not a plain whole number"

# By table: the rows of the target, and of those in quarantine the rowid or key, column and reason.
CASES: dict[str, tuple[imports.Rows, imports.Rows]] = {
    "notes": ([(1, "four", 4), (2, "水循环", 3)], []),
    "strict_ones": (
        [(1, "a", 2.0, b"\0", "5"), (2, None, 0.5, b"", "x")],
        [("3", "d", "binary data in a column of text")],
    ),
    "by_text": (
        [("", 1), ("a", 2), (f"{LONG}2", 3)],
        [
            (f'{{"k": "{LONG[:1000]}"}}', "a", NOT_WHOLE),
            (f'{{"k": "{LONG[:1000]}"}}', "a", NOT_WHOLE),
            ('{"k": "水"}', "a", NOT_WHOLE),
        ],
    ),
    "by_two": (
        [("x", 1, "p"), ("y", 1, "q")],
        [('{"a": 2, "b": "x"}', "v", "binary data in a column of text")],
    ),
    "by_blob": (
        [(b"\0", 1), (b"text", 3)],
        [
            ('{"k": "\\\\xff"}', "a", NOT_WHOLE),
            ('{"k": 5}', "k", "a number in a column of binary data"),
        ],
    ),
    "by_nocase": (
        [("A", 1), ("B", 4)],
        [('{"k": "a"}', "a", NOT_WHOLE), ('{"k": "b"}', "a", NOT_WHOLE)],
    ),
    "bytes": (
        [(1, "good", "abc", 1, b"\0"), (5, "a", "a", 1, b"\xff")],
        [("2", "a", INVALID), ("3", "b", INVALID), ("4", "c", INVALID), ("6", "a", INVALID)],
    ),
    "invalid_key": (
        [("ok", 3)],
        [
            ('{"k": "\\\\xfe"}', "k", INVALID),
            ('{"k": "\\\\xff"}', "k", INVALID),
            ('{"k": "�a�"}', "k", "text with the character U+0000"),
        ],
    ),
    "empty": ([], []),
    "strangers": ([], []),
}


@pytest.mark.parametrize("table", CASES)
def test_a_table_of_any_kind_is_moved(moved: Import, table: str) -> None:
    rows, refused = CASES[table]
    assert sorted(moved.rows(table), key=repr) == sorted(rows, key=repr)
    assert sorted(moved.refused(table)) == sorted(refused)


def test_what_the_target_calculates_itself_may_differ_and_is_kept(moved: Import) -> None:
    assert moved.rows("notes", "legacy") == [(1, 99), (2, 3)]


def test_generated_columns_of_the_file_are_values_where_the_target_has_plain_ones(
    moved: Import,
) -> None:
    found = moved.select("SELECT id, net::text, gross::text, kept FROM prices ORDER BY id")
    assert found == [(1, "1.25", "2.5", "n1.25"), (2, "7", "14", "n7")]


def test_virtual_tables_that_keep_rows_are_kept_as_tables(moved: Import) -> None:
    assert moved.rows("own", "legacy") == [("a", "first"), ("b", "第二")]
    boxes = moved.rows("boxes", "legacy")
    assert boxes == [(1, 0.5, 1.5, "small"), (7, -2.0, 8.0, None)]


def test_indexes_views_and_triggers_are_told_about(moved: Import) -> None:
    left = {(name, kind) for name, kind, _ in moved.said().left_out}
    wanted = {
        ("notes_index", "virtual"),
        ("notes_added", "trigger"),
        ("long_notes", "view"),
        ("notes_index_data", "shadow"),
        ("own_content", "shadow"),
        ("boxes_node", "shadow"),
    }
    assert wanted <= left


def test_columns_that_no_table_has_are_kept_with_their_rows(moved: Import) -> None:
    assert moved.rows("strangers", "legacy") == [(1, "a"), (1, "a")]


def test_texts_that_are_no_texts_are_in_quarantine_byte_for_byte(moved: Import) -> None:
    raw = [(key, value) for key, column, _, value in moved.raw("bytes") if column == "b"]
    assert raw == [("2", b""), ("3", b"\xed\xa0\xbd"), ("4", b"a"), ("6", b"\xb4")]
    keys = [value for _, column, _, value in moved.raw("invalid_key") if column == "k"]
    assert sorted(keys) == [b"\0a\0", b"\xfe", b"\xff"]


def test_the_proof_finds_nothing_wrong(moved: Import) -> None:
    report = moved.said()
    assert report.proof
    assert report.proof.problems == ()
    assert (report.verdict, report.exit_code) == ("identical except quarantine", 3)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_file_in_utf_16_is_read_as_it_is(made: Import, encoding: str) -> None:
    half, nul = ENCODINGS[encoding]
    made.on_server(
        "CREATE TABLE t (id int8 PRIMARY KEY, a varchar(4), b jsonb, c timestamptz, d bytea)",
        "CREATE TABLE w (k text PRIMARY KEY, a int4 UNIQUE)",
    )
    made.on_file(
        f"PRAGMA encoding = '{encoding}'",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c, d)",
        "INSERT INTO t VALUES (1, '水👍ab', '{\"a\": \"水\"}', '2026-01-02 03:04:05', x'00')",
        f"INSERT INTO t VALUES (2, CAST({half} AS TEXT), NULL, NULL, NULL)",
        f"INSERT INTO t VALUES (3, CAST({nul} AS TEXT), NULL, NULL, NULL)",
        "INSERT INTO t VALUES (4, '水水水水水', NULL, NULL, NULL), (5, 7, 8, NULL, '水')",
        "CREATE TABLE w (k TEXT PRIMARY KEY, a) WITHOUT ROWID",
        f"INSERT INTO w VALUES ('水', 1), ('👍', 1), (CAST({half} AS TEXT), 2), ('z', 3)",
        'CREATE TABLE "多" ("列" TEXT)',
        "INSERT INTO \"多\" VALUES ('值')",
    )
    report = made.run()
    found = made.select("SELECT id, a, b::text, c::text, d FROM t ORDER BY id")
    assert found == [
        (1, "水👍ab", '{"a": "水"}', "2026-01-02 03:04:05+00", b"\0"),
        (5, "7", "8", None, "水".encode()),
    ]
    assert made.refused("t") == [
        ("2", "a", INVALID),
        ("3", "a", "text with the character U+0000"),
        ("4", "a", "text of 5 characters where 4 are allowed"),
    ]
    assert sorted(made.rows("w")) == [("z", 3), ("水", 1)]
    assert sorted(reason for _, _, reason in made.refused("w")) == [
        "has the same w_a_key as another row",
        INVALID,
    ]
    assert made.rows("多", "legacy") == [("值",)]
    assert (report.exit_code, report.quarantined_total) == (3, 5)


def test_a_file_that_is_written_to_meanwhile_is_moved_in_one_state(made: Import) -> None:
    made.on_server(
        "CREATE TABLE a (id int8 PRIMARY KEY, x text)",
        "CREATE TABLE b (id int8 PRIMARY KEY, x text)",
    )
    with sources.writing(made.options.source) as writer:
        writer.execute(
            "PRAGMA journal_mode=WAL",
            "CREATE TABLE a (id INTEGER PRIMARY KEY, x)",
            "CREATE TABLE b (id INTEGER PRIMARY KEY, x)",
            "INSERT INTO a VALUES (1, 'in the journal')",
            "BEGIN",
            "INSERT INTO b VALUES (1, 'not committed')",
        )
        before = sources.state(made.options.source.parent)
        report = made.run()
        after = sources.state(made.options.source.parent)
        writer.execute("COMMIT")
    assert (report.verdict, report.exit_code) == ("identical", 0)
    assert (made.rows("a"), made.rows("b")) == ([(1, "in the journal")], [])
    assert after == before


def test_a_file_with_the_old_kind_of_journal_isn_t_changed(made: Import) -> None:
    made.on_server("CREATE TABLE a (id int8 PRIMARY KEY, x text)")
    made.on_file("CREATE TABLE a (id INTEGER PRIMARY KEY, x)", "INSERT INTO a VALUES (1, 'x')")
    before = sources.state(made.options.source.parent)
    report = made.run(jobs=2)
    assert (report.verdict, report.exit_code, made.rows("a")) == ("identical", 0, [(1, "x")])
    assert sources.state(made.options.source.parent) == before


def test_what_a_killed_program_has_committed_is_moved(made: Import) -> None:
    made.on_server("CREATE TABLE a (id int8 PRIMARY KEY, x text)")
    sources.killed(
        made.options.source,
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x)",
        "INSERT INTO a VALUES (1, 'x')",
        "BEGIN",
        "INSERT INTO a VALUES (2, 'y')",
    )
    assert made.run().exit_code == 0
    assert made.rows("a") == [(1, "x")]
