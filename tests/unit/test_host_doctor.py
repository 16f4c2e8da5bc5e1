"""`deploy/mindgraph doctor` without an engine: it tells so, and all that it can see without."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import CHECKOUT

COMMAND = CHECKOUT / "deploy" / "mindgraph"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """As `make env` makes it."""
    file = tmp_path / "env"
    made = [sys.executable, str(CHECKOUT / "docker" / "env.py"), "--file", str(file)]
    subprocess.run(made, check=True, capture_output=True)
    return file


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the programs that every machine has, and without docker."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "dirname", "env", "python3", "readlink"):
        found = sys.executable if name == "python3" else shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def doctor(env_file: Path, programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "doctor", *arguments],
        env={"PATH": str(programs), "MINDGRAPH_ENV_FILE": str(env_file), "HOME": "/home/anna"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_engine_is_a_failure_and_the_rest_is_looked_at(env_file: Path, programs: Path) -> None:
    done = doctor(env_file, programs, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    found = {one["check"]: one for one in told["checks"]}
    assert found["docker"]["seen"] == "no engine answers"
    assert {"cores", "memory", "disk-checkout", "line-ends", "env-names"} <= set(found)
    assert told["summary"]["failure"] >= 1
    assert sum(told["summary"].values()) == len(told["checks"])


def test_a_failure_stands_last_with_its_fix_below(env_file: Path, programs: Path) -> None:
    done = doctor(env_file, programs)
    assert done.returncode == 1
    *_, problem, fix, summary = done.stdout.splitlines()
    assert problem.split()[:3] == ["failure", "machine", "docker"]
    assert fix.strip() == "fix: `make engine` says how to start one"
    assert summary.startswith("ok: ")


def test_its_report_has_no_secret_and_no_place(env_file: Path, programs: Path) -> None:
    done = doctor(env_file, programs, "--report")
    assert done.returncode == 1
    assert str(CHECKOUT) not in done.stdout
    for line in env_file.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.endswith(("PASSWORD", "KEY")) and value:
            assert value not in done.stdout
            assert f"{name}=[set]" in done.stdout
    assert "DATABASE_POOL_TIMEOUT_S" not in done.stdout


def test_without_an_env_file_nothing_is_looked_at(tmp_path: Path, programs: Path) -> None:
    done = doctor(tmp_path / "none", programs)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no stack yet" in done.stderr
