"""What the status tells of disks."""

import os
from pathlib import Path

import pytest

from app.status import files


def test_what_the_system_keeps_for_others_is_neither_free_nor_of_the_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = os.statvfs_result((512, 512, 1000, 900, 300, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    disk = files.disk(tmp_path / "not" / "there yet")
    assert (disk.free, disk.size) == (300 * 512, 400 * 512)
