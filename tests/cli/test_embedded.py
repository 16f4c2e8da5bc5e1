"""`mindgraph run`: everything on this machine, without Docker."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from tests import commands
from tests.cli.processes import Running, bare_environment, running
from tests.places import CHECKOUT

ODD_FOLDER = f"my data/思维 导图/{'long-' * 26}"

Start = Callable[..., AbstractContextManager[Running]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts `mindgraph run` on a free port."""
    private = tmp_path / "tmp"
    private.mkdir()

    @contextmanager
    def start(folder: str = "data") -> Iterator[Running]:
        where = tmp_path / folder
        # No script can solve a captcha.
        environ = bare_environment(
            APP_PORT=0, CAPTCHA_ENABLED="false", DATA_DIR=where, TMPDIR=private
        )
        try:
            with running("run", environ=environ, log=tmp_path / "said") as started:
                yield started
        finally:
            for one in servers_in(where):
                one.kill()

    return start


def servers_in(folder: Path) -> list[psutil.Process]:
    """The Redis servers that work on this data folder, whoever their parent is."""
    return [
        one
        for one in psutil.process_iter(["cwd"])
        if one.info["cwd"] == str((folder / "redis").resolve())
    ]


def run_in(folder: Path, *program: str) -> tuple[int, str]:
    """A run that is meant to be refused; its exit status and what it says."""
    done = subprocess.run(
        [*program, str(commands.MINDGRAPH), "run"],
        env=bare_environment(APP_PORT=0, DATA_DIR=folder),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def as_a_user_without_privileges() -> tuple[str, ...]:
    """root may read and write anything, unless these capabilities are gone."""
    if os.geteuid() != 0:
        return ()
    dropped = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(start: Start, number: signal.Signals, tmp_path: Path) -> None:
    with start() as service:
        service.url()
        assert len(service.family()) > 1
        assert len(servers_in(tmp_path / "data")) == 1
        assert service.stop(number) == 0, service.said()
        assert service.left() == []
        assert servers_in(tmp_path / "data") == []
        assert service.said().endswith("stopped; the data is kept\n")
        assert "Traceback" not in service.said()
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("command", ["run", "init-db"])
def test_a_file_where_the_folder_should_be_is_named(command: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    done = commands.run(
        command, environ=bare_environment(APP_PORT=0, DATA_DIR=tmp_path / "data/below")
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"can't write in {tmp_path / 'data/below'}" in done.stderr
    assert "set DATA_DIR" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_of_somebody_else_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o500)
    code, said = run_in(folder, *as_a_user_without_privileges())
    assert (code, said.count("\n")) == (1, 1)
    assert f"can't write in {folder}" in said


@pytest.mark.parametrize(("mode", "problem"), [(0o400, "be written"), (0o200, "be read")])
def test_a_database_of_somebody_else_is_named(mode: int, problem: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "mindgraph.db").write_text("not looked into")
    (folder / "mindgraph.db").chmod(mode)
    code, said = run_in(folder, *as_a_user_without_privileges())
    assert (code, said.count("\n")) == (1, 1)
    assert f"{folder}/mindgraph.db can't {problem}" in said


@pytest.mark.parametrize("command", ["init-db", "run", "worker"])
def test_a_damaged_database_is_refused_in_a_sentence(command: str, tmp_path: Path) -> None:
    (tmp_path / "mindgraph.db").write_text("not a database\n" * 400)
    done = commands.run(command, environ=bare_environment(APP_PORT=0, DATA_DIR=tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"mindgraph: the database {tmp_path}/mindgraph.db is damaged" in done.stderr
    assert "restore a backup" in done.stderr


def test_a_folder_with_a_difficult_name_serves_the_walk_through(
    start: Start, tmp_path: Path
) -> None:
    with start(ODD_FOLDER) as service:
        walked = subprocess.run(
            ["bash", "examples/walkthrough.sh", service.url()],
            env=bare_environment(),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert walked.returncode == 0, walked.stderr + service.said()
        doctor = commands.run("doctor", environ=bare_environment(DATA_DIR=tmp_path / ODD_FOLDER))
        assert doctor.returncode == 1
        assert "another process uses" in doctor.stderr
        assert doctor.stderr.count("\n") == 1
        assert service.stop(signal.SIGINT) == 0
    assert servers_in(tmp_path / ODD_FOLDER) == []
