"""An old file on its way into a stack: what is refused, what runs meanwhile, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples, sources

from .stacks import CHECKOUT, Stack, bare_environment

SOMEBODY = 4321


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "my old files 旧"
    folder.mkdir()
    return samples.unpack(folder / "mind graph 图.db")


@pytest.fixture
def closed() -> Iterator[Stack]:
    """A stack of which nothing runs yet."""
    with Stack(settings={"MAINTENANCE": "true"}) as stack:
        yield stack


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    names = {
        "COMPOSE_ENV_FILES": str(stack.env_file),
        "COMPOSE_PROJECT_NAME": stack.project,
    }
    return subprocess.run(
        ["bash", "docker/import.sh", *arguments],
        capture_output=True,
        check=False,
        cwd=CHECKOUT,
        encoding="utf-8",
        env={**bare_environment(), **names},
    )


def give_away(file: Path) -> int:
    """To somebody else where that is allowed; who owns it."""
    file.chmod(0o600)
    if os.getuid() == 0:
        os.chown(file, SOMEBODY, SOMEBODY)
    return file.stat().st_uid


def test_a_file_is_moved_with_nothing_but_postgresql(closed: Stack, file: Path) -> None:
    owner = give_away(file)
    tried = run(closed, str(file), "--dry-run")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "DRY RUN: nothing was changed." in tried.stdout
    assert "loading: " in tried.stderr
    done = run(closed, str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().splitlines()[-1].startswith("IDENTICAL:")
    assert [one.labels["com.docker.compose.service"] for one in closed.containers()] == ["postgres"]
    reports = [file.parent / f"{file.name}.import.{kind}" for kind in ("json", "html")]
    for one in reports:
        assert one.stat().st_uid == os.getuid()
    beside = {one for one in file.parent.iterdir() if one not in reports}
    assert {one.stat().st_uid for one in beside} == {owner}
    assert {one.name.removeprefix(file.name) for one in beside} <= {"", "-wal", "-shm"}
    assert closed.sql("mindgraph_user", "SELECT count(*) FROM users WHERE id <= 180") == "180"


def test_a_report_goes_where_it_is_wanted_and_the_exit_code_tells_of_quarantine(
    closed: Stack, file: Path, tmp_path: Path
) -> None:
    sources.make(file, *samples.DIRT)
    there = tmp_path / "reports 报告"
    there.mkdir()
    done = run(closed, str(file), "--report", str(there / "my report.json"))
    assert done.returncode == 3, done.stdout + done.stderr
    assert sorted(one.name for one in there.iterdir()) == ["my report.html", "my report.json"]
    assert json.loads((there / "my report.json").read_text())["exit_code"] == 3
    aborted = run(closed, str(file), "--resume", f"--report={there}/again.json")
    assert aborted.returncode == 3, aborted.stderr
    retried = run(closed, "", "--retry-quarantine")
    assert retried.returncode == 3, retried.stderr
    assert "left in quarantine: 7" in retried.stdout


def test_an_open_stack_is_refused_and_so_is_one_with_rows(stack: Stack, file: Path) -> None:
    done = run(stack, str(file))
    assert done.returncode == 2
    assert "put MAINTENANCE=true into .env, run `make up`" in done.stderr
    stack.set(MAINTENANCE="true")
    stack.up()
    done = run(stack, str(file))
    assert done.returncode == 1
    assert "the target has rows already (organizations 4)" in done.stderr
    assert "make destroy" in done.stderr
    stack.set(MAINTENANCE="")
    stack.up()
    stack.wait_until_well()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "make import-sqlite FROM=FILE"),
        (["", "--dry-run"], "make import-sqlite FROM=FILE"),
        (["/nowhere/at all.db"], "There is no file /nowhere/at all.db"),
        ([str(CHECKOUT / "README.md"), "--report", "/nowhere/r.json"], "no folder /nowhere"),
    ],
)
def test_a_wrong_call_is_told_apart(closed: Stack, arguments: list[str], said: str) -> None:
    done = run(closed, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert closed.containers() == []


def test_a_folder_that_docker_cannot_mount_is_named(closed: Stack, file: Path) -> None:
    folder = file.parent.parent / "a:b"
    file.parent.rename(folder)
    done = run(closed, str(folder / file.name))
    assert done.returncode == 2
    assert "has a colon in its name" in done.stderr


def test_what_is_no_database_is_refused_in_a_sentence(closed: Stack, tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("This is a letter. " * 100)
    done = run(closed, str(tmp_path / "no.db"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no.db" in done.stderr
