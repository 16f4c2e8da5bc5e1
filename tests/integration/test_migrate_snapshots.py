"""A copy is of one moment, and whoever reads it leaves nothing behind."""

from pathlib import Path

import pytest

from app.db.sqlite import files
from app.ops.migrate import snapshots, source
from app.ops.migrate.source import SourceUnusable
from tests.sources import make, state, writing

COUNT = "SELECT count(*) FROM notes"


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


def test_a_copy_is_of_the_moment_that_was_opened(notes: Path, tmp_path: Path) -> None:
    with writing(notes) as writer:
        writer.execute("PRAGMA journal_mode=WAL", "INSERT INTO notes (text) VALUES ('三')")
        with source.opened(notes) as opened:
            writer.execute("DELETE FROM notes")
            before = state(notes.parent)
            made = snapshots.copy(opened, tmp_path)
            assert state(notes.parent) == before
        now = snapshots.snapshot(notes, tmp_path)
        assert state(notes.parent) == before
    assert made.bytes == made.file.stat().st_size
    assert made.seconds > 0
    assert made.file.stat().st_mode & 0o777 == 0o600
    for one, rows in ((made, 3), (now, 0)):
        copied = state(tmp_path)
        with source.opened(one.file) as opened:
            assert opened.connection.execute(COUNT).fetchone() == (rows,)
        assert state(tmp_path) == copied


def test_a_copy_without_a_place_or_room_is_refused_and_leaves_nothing(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnusable, match=r"can't write in .*nowhere \(No such file"):
        snapshots.snapshot(notes, tmp_path / "nowhere")
    monkeypatch.setattr(files, "free_mb", lambda _: 0)
    with pytest.raises(SourceUnusable, match=r"needs 1 MB, and .* has 0 MB"):
        snapshots.snapshot(notes, tmp_path)
    assert list(state(tmp_path)) == []
