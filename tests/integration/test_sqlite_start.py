"""What the start finds in an embedded database's file, and what it makes of it."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.db import engine
from app.db.errors import DatabaseDamaged
from app.db.init import init_db, judge_file
from app.db.sqlite import checkpoints, files, verdict
from app.db.sqlite.verdict import Verdict
from app.settings import Settings
from tests import commands
from tests.databases import on_sqlite
from tests.places import CHECKOUT

pytestmark = on_sqlite

PAGE = 4096
# Writes until it is killed, and tells each code after its commit.
WRITER = """
import sys
from app import clock, settings
from app.db import engine
from app.db.session import Database
from app.organizations.models import Organization

database = Database(engine.build(settings.load(), name="writer", threads=1))
for number in range(int(sys.argv[2])):
    code = f"{sys.argv[1]}-{number}"
    with database.begin() as session:
        session.add(Organization(code=code, name="学校", created_at=clock.now()))
    print(code, flush=True)
"""


@pytest.fixture
def file(settings: Settings) -> Path:
    found = engine.file(settings)
    assert found
    return found


def write_and_be_killed(settings: Settings, name: str, after: int) -> list[str]:
    """The codes that the writer had told when it was ended without any warning."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, name, "1000000"],
        env=commands.environment_of(settings),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer:
        assert writer.stdout
        told = [writer.stdout.readline().strip() for _ in range(after)]
        writer.kill()
        # A line that was cut off is no word given.
        told += [line.strip() for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    return told


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def codes(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("SELECT code FROM organizations NOT INDEXED")]


def judge(settings: Settings, *, thorough: bool = False) -> Verdict:
    found = judge_file(settings, thorough=thorough)
    assert found
    return found


def page_of(file: Path, name: str) -> int:
    """Where the root page of a table or index begins in the file."""
    find = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    with closing(sqlite3.connect(file)) as connection:
        root: int = connection.execute(find, (name,)).fetchone()[0]
    return (root - 1) * PAGE


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as raw:
        raw.seek(at)
        raw.write(data)


def spoil_index(file: Path) -> None:
    """One key of an index is another than the row's, as after a lost write."""
    with closing(sqlite3.connect(file)) as connection:
        indexes = connection.execute("PRAGMA index_list(organizations)").fetchall()
        [name] = [
            index[1]
            for index in indexes
            if connection.execute(f"PRAGMA index_info({index[1]})").fetchall()[0][2] == "code"
        ]
    start = page_of(file, name)
    at = file.read_bytes().index(b"DEMO-001", start, start + PAGE)
    overwrite(file, at, b"DEMO-999")


def state_of_folder(file: Path) -> dict[str, bytes]:
    """What was there, byte for byte. SQLite makes its index of the journal anew at any time."""
    return {
        one.name: one.read_bytes()
        for one in file.parent.iterdir()
        if one.stat().st_size and not one.name.endswith(("-shm", ".lock"))
    }


def test_a_killed_writer_loses_nothing_that_it_had_told_however_often(
    settings: Settings, file: Path
) -> None:
    told: list[str] = []
    for attempt in range(5):
        told += write_and_be_killed(settings, f"attempt{attempt}", after=3 + 11 * attempt)
        found = init_db(settings).verdict
        assert found
        assert (found.state, found.checked, found.kept) == ("recovered", "integrity_check", ())
        assert found.pages > 0
        stored = [code for code in codes(file) if code.startswith("attempt")]
        assert len(stored) == len(set(stored))
        assert set(told) <= set(stored)
        # At most the one that it had committed and not yet told, each time.
        assert len(stored) <= len(told) + attempt + 1
    assert judge(settings) == Verdict("clean", "integrity_check")


def test_no_file_and_an_empty_one_are_new(empty: Settings, backend: str) -> None:
    assert backend == "sqlite"
    assert judge(empty) == Verdict("new")
    file = engine.file(empty)
    assert file
    file.touch()
    assert judge(empty) == Verdict("new")
    assert init_db(empty).organizations == 4
    assert judge(empty) == Verdict("clean", "integrity_check")


def test_a_journal_without_its_file_is_not_begun_anew(settings: Settings, file: Path) -> None:
    write_and_be_killed(settings, "told", after=5)
    saved = file.rename(file.with_name("elsewhere"))
    before = state_of_folder(file)
    with pytest.raises(DatabaseDamaged, match=r"is gone or empty, but its journal .*-wal is not"):
        init_db(settings)
    assert state_of_folder(file) == before
    saved.rename(file)
    assert judge(settings).state == "recovered"
    assert "told-0" in codes(file)


@pytest.mark.parametrize("after_a_kill", [False, True])
def test_a_damaged_table_is_refused_and_left_as_it_is(
    settings: Settings, file: Path, after_a_kill: bool
) -> None:
    at = page_of(file, "users")
    if after_a_kill:
        # Of the users there is nothing in its journal, which would heal them.
        write_and_be_killed(settings, "told", after=3)
    overwrite(file, at, b"\xff" * 200)
    before = state_of_folder(file)
    for _ in range(2):
        with pytest.raises(DatabaseDamaged) as refused:
            init_db(settings)
        assert state_of_folder(file) == before
    assert str(file) in refused.value.detail
    assert "left as it was" in refused.value.detail
    assert "restore a backup" in refused.value.detail
    assert "\n" not in refused.value.detail


def test_a_file_that_was_cut_off_is_refused(settings: Settings, file: Path) -> None:
    os.truncate(file, files.size(file) // 2)
    with pytest.raises(DatabaseDamaged, match="is damaged"):
        init_db(settings)


def test_a_damaged_index_is_mended_from_its_table_after_a_copy(
    settings: Settings, file: Path
) -> None:
    write_and_be_killed(settings, "told", after=2)
    judge(settings)
    before = codes(file)
    spoil_index(file)
    spoilt = file.read_bytes()
    found = init_db(settings).verdict
    assert found
    assert (found.state, found.checked) == ("repaired", "integrity_check")
    [copy] = found.kept
    assert copy.name.startswith("mindgraph.db.damaged-2")
    assert copy.name.endswith("Z")
    assert copy.stat().st_mode == file.stat().st_mode
    assert copy.stat().st_size == len(spoilt)
    assert b"DEMO-999" in copy.read_bytes()
    assert codes(file) == before
    assert judge(settings) == Verdict("clean", "integrity_check")
    with closing(sqlite3.connect(file)) as connection:
        found_by_index = "SELECT count(*) FROM organizations WHERE code = 'DEMO-001'"
        assert connection.execute(found_by_index).fetchone() == (1,)


def test_an_index_that_hides_a_duplicate_is_refused_and_left_as_it_is(
    settings: Settings, file: Path
) -> None:
    spoil_index(file)
    # The index knows no such code any more.
    execute(
        file,
        "INSERT INTO organizations (code, name, is_active, created_at)"
        " VALUES ('DEMO-001', 'x', 1, '2025-01-01')",
    )
    before = state_of_folder(file)
    with pytest.raises(DatabaseDamaged, match="UNIQUE constraint failed"):
        init_db(settings)
    assert state_of_folder(file) == before


def test_the_end_of_a_journal_that_was_cut_off_is_told(settings: Settings, file: Path) -> None:
    told = write_and_be_killed(settings, "told", after=30)
    journal = files.journal(file)
    # Within the last page of the last transaction.
    os.truncate(journal, files.size(journal) - 100)
    found = judge(settings)
    assert found.state == "recovered"
    assert found.pages > 0
    assert found.kept == ()
    assert set(told[:-1]) <= set(codes(file))


def test_what_a_damaged_journal_holds_beyond_is_kept_and_told(
    settings: Settings, file: Path
) -> None:
    write_and_be_killed(settings, "told", after=30)
    journal = files.journal(file)
    whole = files.size(journal)
    overwrite(journal, whole // 2, b"\x00" * 100)
    found = judge(settings)
    assert found.state == "recovered"
    assert found.pages > 0
    assert found.left_out > 0
    [copy] = found.kept
    assert copy.name.startswith("mindgraph.db-wal.damaged-2")
    assert files.size(copy) == whole
    assert "told-0" in codes(file)
    assert "told-29" not in codes(file)
    assert judge(settings).state == "clean"


def test_a_journal_without_a_head_is_kept_and_told(settings: Settings, file: Path) -> None:
    write_and_be_killed(settings, "told", after=5)
    overwrite(files.journal(file), 0, b"\x00" * 32)
    found = judge(settings)
    assert (found.state, found.pages) == ("recovered", 0)
    assert found.left_out > 0
    assert len(found.kept) == 1


def test_an_interrupted_change_of_an_old_file_is_undone(settings: Settings, file: Path) -> None:
    execute(file, "PRAGMA journal_mode=DELETE")
    with closing(sqlite3.connect(file, isolation_level=None)) as changing:
        # A cache this small must put changed pages into the file before the commit.
        changing.execute("PRAGMA cache_size=1")
        changing.execute("BEGIN")
        changing.execute("UPDATE organizations SET name = 'half done'")
        changing.execute("CREATE TABLE filler AS SELECT zeroblob(1000000) AS x")
        copy = file.with_name("copied.db")
        shutil.copy(file, copy)
        shutil.copy(f"{file}-journal", f"{copy}-journal")
    assert "half done" in copy.read_bytes().decode(errors="replace")
    copy.rename(file)
    Path(f"{copy}-journal").rename(f"{file}-journal")
    assert judge(settings).state == "recovered"
    with closing(sqlite3.connect(file)) as connection:
        count = "SELECT count(*) FROM organizations WHERE name = 'half done'"
        assert connection.execute(count).fetchone() == (0,)


def test_a_file_in_use_is_left_alone(settings: Settings, file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE users SET name = 'x'")
        other.commit()
        size = files.size(files.journal(file))
        assert size > 0
        assert judge(settings).state == "in use"
        assert files.size(files.journal(file)) == size
    with checkpoints.scheduled(file, every_s=3_600):
        commands.wait_until(lambda: checkpoints.are_made(file), "somebody makes checkpoints")
        assert judge(settings) == Verdict("in use")


def test_rows_that_refer_to_missing_ones_are_no_reason_to_refuse(
    settings: Settings, file: Path
) -> None:
    execute(file, "UPDATE users SET organization_id = 4711 WHERE id = 1")
    found = init_db(settings).verdict
    assert found == Verdict("clean", "integrity_check", orphans=1)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as a large one."""
    monkeypatch.setattr(verdict, "SMALL_MB", 0)


@pytest.mark.usefixtures("large")
def test_a_large_file_is_checked_after_an_unclean_end_or_when_asked(
    settings: Settings, file: Path
) -> None:
    assert judge(settings) == Verdict("clean")
    assert judge(settings, thorough=True) == Verdict("clean", "integrity_check")
    write_and_be_killed(settings, "told", after=3)
    found = judge(settings)
    assert (found.state, found.checked) == ("recovered", "quick_check")
    spoil_index(file)
    assert judge(settings) == Verdict("clean")
    assert judge(settings, thorough=True).state == "repaired"


def test_what_is_no_database_is_named(settings: Settings, file: Path) -> None:
    file.write_text("a letter, not a database\n" * 400)
    with pytest.raises(DatabaseDamaged, match="file is not a database"):
        init_db(settings)
    assert file.read_text().startswith("a letter")
