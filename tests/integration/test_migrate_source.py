"""A SQLite file is read as it was at one moment, and is the same afterwards."""

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.ops.migrate import snapshots, source
from app.ops.migrate.source import InvalidText, SourceDamaged, SourceUnusable
from tests.sources import killed, make, state, writing

COUNT = "SELECT count(*) FROM notes"
NUMBERS = (
    "WITH RECURSIVE numbers(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM numbers WHERE i < 3000)"
)


def refusal(path: Path) -> str:
    with pytest.raises(SourceUnusable) as refused, source.opened(path):
        pass
    assert "\n" not in refused.value.detail
    return refused.value.detail


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "old data?#%"
    made.mkdir()
    return made


@pytest.fixture
def notes(folder: Path) -> Path:
    return make(
        folder / "notes.db",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
        "INSERT INTO notes (text) VALUES ('一'), ('二')",
    )


def test_one_state_is_seen_while_others_write_and_the_reader_changes_nothing(
    notes: Path,
) -> None:
    with writing(notes) as writer:
        writer.execute("PRAGMA journal_mode=WAL", "INSERT INTO notes (text) VALUES ('三')")
        before = state(notes.parent)
        assert set(before) == {"notes.db", "notes.db-wal", "notes.db-shm"}
        with source.opened(notes) as opened:
            assert opened.connection.execute(COUNT).fetchone() == (3,)
            assert state(notes.parent) == before
            writer.execute("INSERT INTO notes (text) SELECT text FROM notes", "DROP TABLE notes")
            written = state(notes.parent)
            assert opened.connection.execute(COUNT).fetchone() == (3,)
            writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
            assert opened.connection.execute(COUNT).fetchone() == (3,)
        assert state(notes.parent)["notes.db-wal"] == written["notes.db-wal"]


def test_every_state_that_is_seen_is_whole_however_fast_others_write(folder: Path) -> None:
    file = make(folder / "a.db", "CREATE TABLE debit (n)", "CREATE TABLE credit (n)")
    differ = "SELECT (SELECT count(*) FROM debit) - (SELECT count(*) FROM credit)"
    busy = [
        "PRAGMA journal_mode=WAL",
        "PRAGMA wal_autocheckpoint=5",
        *["BEGIN", "INSERT INTO debit VALUES (1)", "INSERT INTO credit VALUES (1)", "COMMIT"] * 400,
    ]
    with writing(file) as writer, ThreadPoolExecutor(1) as pool:
        written = pool.submit(writer.execute, *busy)
        seen = 0
        while not written.done() or seen == 0:
            with source.opened(file) as opened:
                assert opened.connection.execute(differ).fetchone() == (0,)
            seen += 1
        written.result()
        with source.opened(file) as opened:
            assert opened.connection.execute("SELECT count(*) FROM credit").fetchone() == (400,)


def test_a_killed_programs_journal_is_read_and_left_as_it_is(folder: Path) -> None:
    file = killed(
        folder / "a.db", "CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('last words')"
    )
    before = state(folder)
    assert len(before["a.db-wal"]) > 0
    for _ in range(2):
        with source.opened(file) as opened:
            assert opened.connection.execute("SELECT * FROM notes").fetchall() == [("last words",)]
    assert state(folder) == before


def test_a_file_that_came_with_its_journal_alone_is_read(folder: Path, tmp_path: Path) -> None:
    file = killed(folder / "a.db", "CREATE TABLE notes (text)", "INSERT INTO notes VALUES (1)")
    for name in ("a.db", "a.db-wal"):
        shutil.copy(file.with_name(name), tmp_path / name)
    before = state(tmp_path)
    with source.opened(tmp_path / "a.db") as opened:
        assert opened.connection.execute(COUNT).fetchone() == (1,)
    after = state(tmp_path)
    assert {name: after[name] for name in before} == before


def test_a_closed_file_in_wal_mode_is_read_and_stays_as_it_is(notes: Path) -> None:
    make(notes, "PRAGMA journal_mode=WAL")
    before = state(notes.parent)
    with source.opened(notes) as opened:
        assert opened.connection.execute(COUNT).fetchone() == (2,)
    after = state(notes.parent)
    assert after["notes.db"] == before["notes.db"]
    assert after["notes.db-wal"] == b""


def test_a_link_is_followed_to_the_journal_beside_the_file(folder: Path, tmp_path: Path) -> None:
    file = killed(folder / "a.db", "CREATE TABLE notes (text)", "INSERT INTO notes VALUES (1)")
    link = tmp_path / "link.db"
    link.symlink_to(file)
    with source.opened(link) as opened:
        assert opened.file == file
        assert opened.connection.execute(COUNT).fetchone() == (1,)


def test_nothing_can_be_written_through_it(notes: Path) -> None:
    with (
        source.opened(notes) as opened,
        pytest.raises(sqlite3.OperationalError, match="readonly database"),
    ):
        opened.connection.execute("DELETE FROM notes")


def test_the_file_calls_none_of_our_functions(notes: Path) -> None:
    make(notes, "CREATE VIEW trap AS SELECT ours(text) FROM notes")
    with source.opened(notes) as opened:
        opened.connection.create_function("ours", 1, lambda text: text)
        assert opened.connection.execute("SELECT ours(1)").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError, match="unsafe use of ours"):
            opened.connection.execute("SELECT * FROM trap")


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_text_is_read_in_any_encoding(folder: Path, encoding: str) -> None:
    text = "思维导图 👩‍🏫\0 end"
    with closing(sqlite3.connect(folder / "a.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA encoding='{encoding}'")
        connection.execute("CREATE TABLE notes (text TEXT)")
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
    with source.opened(folder / "a.db") as opened:
        assert opened.connection.execute("SELECT text FROM notes").fetchall() == [(text,)]


def test_text_that_is_no_utf8_is_handed_over_byte_for_byte(notes: Path) -> None:
    make(notes, "INSERT INTO notes VALUES (7, CAST(x'e5ad00ff' AS TEXT)), (8, x'e5ad00ff')")
    with source.opened(notes) as opened:
        find = "SELECT text FROM notes WHERE id >= 7 ORDER BY id"
        [(text,), (blob,)] = opened.connection.execute(find).fetchall()
    assert text == blob == b"\xe5\xad\x00\xff"
    assert type(text) is InvalidText
    assert type(blob) is bytes


@pytest.mark.parametrize(
    ("encoding", "codec"), [("UTF-16le", "utf-16-le"), ("UTF-16be", "utf-16-be")]
)
def test_half_a_surrogate_pair_in_utf16_is_handed_over_byte_for_byte(
    folder: Path, encoding: str, codec: str
) -> None:
    good = "一 👩‍🏫\0".encode(codec)
    broken = "\ud83dA".encode(codec, "surrogatepass")
    with closing(sqlite3.connect(folder / "a.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA encoding='{encoding}'")
        connection.execute("CREATE TABLE notes (text TEXT)")
        for raw in (good, broken):
            connection.execute(f"INSERT INTO notes VALUES (CAST(x'{raw.hex()}' AS TEXT))")
    with source.opened(folder / "a.db") as opened:
        [stored] = opened.connection.execute("PRAGMA encoding").fetchone()
        rows = opened.connection.execute("SELECT CAST(text AS BLOB) FROM notes").fetchall()
    first, second = (source.decoded(raw, stored) for (raw,) in rows)
    assert first == "一 👩‍🏫\0"
    assert second == broken
    assert type(second) is InvalidText


def spoil(file: Path, page: int) -> None:
    with file.open("r+b") as raw:
        raw.seek(page * 4096)
        raw.write(b"\xff" * 300)


def test_rows_that_break_a_rule_are_no_damage_and_hide_none(folder: Path) -> None:
    file = make(
        folder / "a.db",
        # SQLite checks the table that was made last first.
        "CREATE TABLE notes (text NOT NULL)",
        "CREATE TABLE dirty (a INTEGER CHECK (a > 0), b TEXT)",
        "PRAGMA ignore_check_constraints=ON",
        f"{NUMBERS} INSERT INTO dirty SELECT -i, NULL FROM numbers",
        f"{NUMBERS} INSERT INTO notes SELECT 'note ' || i FROM numbers",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'b TEXT', 'b TEXT NOT NULL')",
    )
    with source.opened(file) as opened:
        assert opened.connection.execute("SELECT count(*) FROM dirty").fetchone() == (3000,)
    # The length of a row's head, which comes with the kind of its value before the value.
    file.write_bytes(re.sub(rb"\x02(.note 2222)", b"\x7f\\1", file.read_bytes(), flags=re.DOTALL))
    with pytest.raises(SourceDamaged), source.opened(file):
        pass


def test_damage_is_found_before_anything_is_read(notes: Path) -> None:
    make(notes, f"{NUMBERS} INSERT INTO notes (text) SELECT 'some text' FROM numbers")
    spoil(notes, 5)
    before = state(notes.parent)
    with pytest.raises(SourceDamaged, match=r"notes.db is damaged: .*use a backup of it"):
        snapshots.snapshot(notes, notes.parent)
    assert state(notes.parent) == before


def test_a_file_that_was_cut_off_is_damaged(notes: Path) -> None:
    os.truncate(notes, 5000)
    assert "is damaged: " in refusal(notes)


def test_a_file_with_a_senseless_first_page_is_damaged(notes: Path) -> None:
    with notes.open("r+b") as raw:
        raw.seek(16)
        raw.write(b"\xff" * 84)
    assert "is damaged: its first page makes no sense" in refusal(notes)


def test_what_is_not_there_or_no_file_is_named(folder: Path) -> None:
    assert refusal(folder / "gone.db") == f"there is no file {folder}/gone.db"
    assert refusal(folder) == f"{folder} is a folder; name the SQLite file in it"
    os.mkfifo(folder / "pipe")
    assert refusal(folder / "pipe") == f"{folder}/pipe is no regular file"
    (folder / "round").symlink_to(folder / "round")
    assert refusal(folder / "round").startswith(f"{folder}/round can't be read (")


def test_what_is_no_sqlite_database_is_named(folder: Path) -> None:
    file = folder / "a.db"
    file.touch()
    assert refusal(file) == f"{file} is empty (0 bytes)"
    file.write_text("a letter, not a database\n" * 400)
    assert refusal(file) == f"{file} is no SQLite database"
    file.write_bytes(bytes(range(256)) * 32)
    assert "is no SQLite database, or it is encrypted: decrypt it" in refusal(file)
    assert sorted(state(folder)) == ["a.db"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that anybody may enter; what pytest makes is for its owner alone."""
    with tempfile.TemporaryDirectory(prefix="mindgraph-test-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may read everything, and so becomes nobody for the block."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_a_file_or_journal_that_may_not_be_read_is_named(open_folder: Path, ending: str) -> None:
    file = killed(open_folder / "a.db", "CREATE TABLE notes (text)")
    locked = file.with_name(f"a.db{ending}")
    locked.chmod(0)
    with ordinary_user():
        assert refusal(file) == f"{locked} can't be read (permission denied)"


def test_a_journal_where_its_index_cannot_be_made_is_told(open_folder: Path) -> None:
    file = killed(open_folder / "a.db", "CREATE TABLE notes (text)", "INSERT INTO notes VALUES (1)")
    index = file.with_name("a.db-shm")
    open_folder.chmod(0o555)
    with ordinary_user(), source.opened(file) as opened:
        # As long as there is one, it need not be written.
        assert opened.connection.execute(COUNT).fetchone() == (1,)
    open_folder.chmod(0o755)
    index.unlink()
    open_folder.chmod(0o555)
    before = state(open_folder)
    with ordinary_user():
        said = refusal(file)
    assert f"is in WAL mode, and SQLite can't make or use {index}" in said
    assert "copy the file together with its -wal to another folder" in said
    assert state(open_folder) == before


def test_a_change_that_was_interrupted_is_not_undone_in_the_file(
    folder: Path, tmp_path: Path
) -> None:
    file = folder / "a.db"
    with writing(file) as writer:
        # A cache this small must put changed pages into the file before the commit.
        writer.execute(
            "CREATE TABLE notes (text)",
            "INSERT INTO notes VALUES ('old')",
            "PRAGMA cache_size=1",
            "BEGIN",
            "UPDATE notes SET text = 'half done'",
            "INSERT INTO notes VALUES (zeroblob(1000000))",
        )
    before = state(folder)
    assert "holds a change that was interrupted" in refusal(file)
    assert state(folder) == before
    # What the sentence advises.
    for name in before:
        shutil.copy(folder / name, tmp_path / name)
    make(tmp_path / "a.db", "PRAGMA quick_check")
    with source.opened(tmp_path / "a.db") as opened:
        assert opened.connection.execute("SELECT text FROM notes").fetchall() == [("old",)]


def test_a_file_that_another_program_keeps_to_itself_is_told(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PATIENCE_S", 0.05)
    with writing(notes) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert "is locked by another program" in refusal(notes)
    with source.opened(notes) as opened:
        assert opened.connection.execute(COUNT).fetchone() == (2,)
