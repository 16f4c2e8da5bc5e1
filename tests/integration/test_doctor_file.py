"""What `mindgraph doctor` says of an embedded database's file."""

import os
import sqlite3
from contextlib import closing

from app.db import engine
from app.db.sqlite import checkpoints, files
from app.ops.doctor import embedded
from app.settings import Settings
from tests import commands
from tests.databases import on_postgresql, on_sqlite


def findings(settings: Settings) -> dict[str, tuple[bool, str]]:
    return {found.check: (found.is_ok, found.seen) for found in embedded.examine(settings)}


@on_sqlite
def test_a_sound_file_is_found_well(settings: Settings) -> None:
    found = findings(settings)
    assert all(ok for ok, _ in found.values())
    assert found["integrity"][1].endswith("MB without damage")
    assert "last checkpoint: none yet; no process makes checkpoints now" in found["journal"][1]
    assert f"{settings.disk_reserve_mb} are kept in reserve" in found["disk"][1]


@on_sqlite
def test_the_last_checkpoint_is_told_while_they_are_made(settings: Settings) -> None:
    file = engine.file(settings)
    assert file
    with checkpoints.scheduled(file, every_s=0.05):
        commands.wait_until(lambda: checkpoints.last(file), "a checkpoint was made")
        ok, detail = findings(settings)["journal"]
    assert ok
    assert detail.endswith(" UTC")


@on_sqlite
def test_what_is_wrong_is_told_with_what_to_do(settings: Settings) -> None:
    file = engine.file(settings)
    assert file
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE users SET organization_id = 4711 WHERE id = 1")
    assert "1 rows refer to missing ones" in findings(settings)["integrity"][1]
    os.truncate(file, files.size(file) // 2)
    ok, _ = findings(settings)["integrity"]
    assert not ok
    (fix,) = [one.fix for one in embedded.examine(settings) if one.check == "integrity"]
    assert fix == "restore a backup"
    file.unlink()
    assert "can't be checked" in findings(settings)["integrity"][1]


@on_sqlite
def test_a_disk_below_its_reserve_is_told(settings: Settings) -> None:
    found = findings(settings.model_copy(update={"disk_reserve_mb": 1_000_000}))
    assert not found["disk"][0]
    assert found["integrity"][0]


@on_postgresql
def test_a_server_has_no_such_file(settings: Settings) -> None:
    assert embedded.examine(settings) == []
