"""Another version of PostgreSQL, and the database as one file."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from . import backups, postgres_images
from .people import Person
from .stacks import CHECKOUT, Stack, bare_environment, running

# Its new database lacks a row.
LOSING = """
USER root
WORKDIR /usr/local/bin
RUN sed -i 's/^mindgraph-tables .*/ask mindgraph "DELETE FROM diagrams"; &/' mindgraph-load
WORKDIR /
USER postgres
"""
VERSION = "SELECT current_setting('server_version_num')::int / 10000"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with postgres_images.eighteen(), running() as stack:
        yield stack


@pytest.fixture(scope="module")
def person(stack: Stack) -> Iterator[Person]:
    with closing(Person(stack.url)) as person:
        person.save("前")
        yield person


def is_away(stack: Stack) -> bool:
    return bool(stack.state("app")["Status"] == "exited")


def test_a_file_that_was_loaded_once_is_written_and_can_be_served(
    stack: Stack, person: Person, tmp_path: Path
) -> None:
    file, then = tmp_path / "all.dump", backups.sums(stack)
    known = backups.volumes(stack)
    backups.succeed(stack, "export-database", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["all.dump"]
    assert backups.volumes(stack) == known
    refused = backups.mindgraph(stack, "export-database", str(file))
    assert (refused.returncode, "is there already" in refused.stderr) == (2, True)
    person.save("后")
    backups.succeed(stack, "import-database", str(file))
    assert backups.sums(stack) == then
    assert stack.is_well()
    person.log_in()
    assert person.titles() == ["前"]


def test_a_file_that_is_cut_short_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    file, then, known = tmp_path / "all.dump", backups.sums(stack), backups.volumes(stack)
    backups.succeed(stack, "export-database", str(file))
    os.truncate(file, file.stat().st_size * 3 // 4)
    refused = backups.mindgraph(stack, "import-database", str(file))
    assert refused.returncode == 1
    assert backups.volumes(stack) == known
    assert backups.sums(stack) == then
    assert stack.is_well()


@pytest.mark.usefixtures("person")
def test_an_upgrade_that_fails_changes_nothing(stack: Stack) -> None:
    then, known = backups.sums(stack), backups.volumes(stack)
    with postgres_images.built("17.99", LOSING):
        failed = backups.mindgraph(stack, "upgrade-database", "17.99")
    assert failed.returncode == 1
    assert "the new database is not the same" in failed.stderr
    assert backups.volumes(stack) == known
    assert backups.sums(stack) == then
    assert stack.is_well()


@pytest.mark.parametrize(
    ("version", "reason"),
    [("99", "build it: POSTGRES_VERSION=99 make build"), ("new", "is no version of PostgreSQL")],
)
def test_an_upgrade_that_can_not_be_is_refused(stack: Stack, version: str, reason: str) -> None:
    refused = backups.mindgraph(stack, "upgrade-database", version)
    assert refused.returncode == 2
    assert reason in refused.stderr
    assert stack.is_well()


def test_after_a_kill_the_next_run_upgrades_and_there_is_a_way_back(
    stack: Stack, person: Person
) -> None:
    then, known = backups.sums(stack), backups.volumes(stack)
    upgrade = backups.start(stack, "upgrade-database", "18")
    stack.wait(lambda: is_away(stack), "the service is stopped for the upgrade")
    os.killpg(upgrade.pid, signal.SIGKILL)
    upgrade.wait()
    said = backups.succeed(stack, "upgrade-database", "18")
    assert "set POSTGRES_VERSION= in" in said
    assert stack.sql_inside(VERSION) == "18"
    assert stack.env["POSTGRES_VERSION"] == "18"
    assert backups.sums(stack) == then
    assert stack.is_well()
    person.log_in()
    person.save("新")
    (made,) = backups.volumes(stack) - known
    assert made.startswith(f"{stack.project}_postgres-18")
    stack.set(POSTGRES_VERSION="")
    stack.up()
    assert stack.sql_inside(VERSION) == "17"
    assert backups.sums(stack) == then
    again = backups.mindgraph(stack, "upgrade-database", "18")
    assert (again.returncode, f"docker volume rm {made}" in again.stderr) == (2, True)


def test_destroying_a_stack_leaves_no_volume_of_any_generation(stack: Stack) -> None:
    assert len(backups.volumes(stack)) > 4
    environment = {
        **bare_environment(),
        "COMPOSE_ENV_FILES": str(stack.env_file),
        "COMPOSE_PROJECT_NAME": stack.project,
    }
    subprocess.run(
        ["bash", str(CHECKOUT / "docker" / "destroy.sh")],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env=environment,
        input=f"{stack.project}\n",
    )
    assert backups.volumes(stack) == set()
