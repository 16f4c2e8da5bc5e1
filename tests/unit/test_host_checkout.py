"""What `mindgraph doctor` says of a checkout: real folders, also as Windows leaves them."""

import subprocess
from pathlib import Path

import pytest
from host.checks import checkout

from tests.places import CHECKOUT

MOUNTS = """\
/dev/sdc / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
C:\\134 /mnt/c 9p rw,noatime,aname=drvfs;path=C:\\ 0 0
/dev/sdd /srv/a\\040b xfs rw 0 0
share /srv/share 9p rw 0 0
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "mounts").write_text(MOUNTS)
    return tmp_path


def test_a_checkout_on_a_windows_drive_is_told(root: Path) -> None:
    found = checkout.drive(root, Path("/mnt/c/Users/anna/mindgraph"))
    assert found.status == "warning"
    assert "Windows drive (9p)" in found.seen


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/anna/mindgraph", "ext4"),
        ("/srv/a b/mindgraph", "xfs"),
        ("/mnt/cow", "ext4"),
        # What a virtual machine shares is none of Windows.
        ("/srv/share/mindgraph", "9p"),
    ],
)
def test_a_checkout_on_another_disk_is_well(root: Path, folder: str, kind: str) -> None:
    found = checkout.drive(root, Path(folder))
    assert (found.status, found.seen) == ("ok", f"{folder} ({kind})")


def test_the_mounts_of_this_machine_can_be_read() -> None:
    assert "unknown" not in checkout.drive(Path("/"), CHECKOUT).seen


def test_scripts_that_windows_has_changed_are_told_and_the_fix_mends_them(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    script = tmp_path / "docker" / "run.sh"
    script.write_bytes(b"#!/usr/bin/env bash\necho fine\n")
    (tmp_path / "docker" / "empty").touch()
    assert checkout.line_ends(tmp_path).status == "ok"
    script.write_bytes(b"#!/usr/bin/env bash\r\necho fine\r\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    found = checkout.line_ends(tmp_path)
    assert found.status == "failure"
    assert found.seen == "CRLF in docker/run.sh"
    subprocess.run(["bash", "-c", found.fix.strip("`")], cwd=tmp_path, check=True)
    assert checkout.line_ends(tmp_path).status == "ok"
    assert script.read_bytes() == b"#!/usr/bin/env bash\necho fine\n"


def test_many_of_them_are_counted(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    for number in range(5):
        (tmp_path / "db" / f"{number}.sql").write_bytes(b"SELECT 1;\r\n")
    assert checkout.line_ends(tmp_path).seen == "CRLF in db/0.sql, db/1.sql, db/2.sql and 2 more"


def test_what_is_no_text_has_no_line_ends(tmp_path: Path) -> None:
    compiled = tmp_path / "docker" / "__pycache__" / "settings.pyc"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(b"\xa7\r\r\n\0\0\0")
    assert checkout.line_ends(tmp_path).status == "ok"


def test_this_checkout_has_none() -> None:
    assert checkout.line_ends(CHECKOUT).status == "ok"
