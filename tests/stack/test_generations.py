"""Which volumes of the database a start looks for, on those of a stack that never ran."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from host import locking, volumes
from host.restores import restoring
from host.stack import Stack as HostStack

from .stacks import CHECKOUT, PRODUCTION, Stack


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Stack(*PRODUCTION) as stack:
        yield stack


def make(stack: Stack, name: str) -> None:
    labels = {"project": stack.project, "volume": "postgres"}
    stack.engine.volumes.create(
        f"{stack.project}_postgres{name}",
        labels={f"com.docker.compose.{key}": value for key, value in labels.items()},
    )


def start(stack: Stack, **settings: str) -> HostStack:
    """As it begins; raises NotThere."""
    stack.set(**settings)
    found = HostStack(CHECKOUT, stack.env_file)
    volumes.require_database(found)
    return found


def test_a_first_start_is_let_through_and_the_next_one_finds_its_database(stack: Stack) -> None:
    start(stack)
    make(stack, "")
    start(stack)


def test_each_database_is_listed_with_the_settings_that_lead_to_it(stack: Stack) -> None:
    for name in ("", "-20261128T101500Z", "-18", "-18.1-20261128T101500Z"):
        make(stack, name)
    with pytest.raises(volumes.NotThere) as refusal:
        start(stack, DATA_GENERATION="-20261128T101500X", POSTGRES_VERSION="18")
    said, project = str(refusal.value), stack.project
    assert f"volume {project}_postgres-18-20261128T101500X, which does not exist" in said
    lines = [line.split(" (made 2")[0].strip() for line in said.splitlines()]
    assert lines[1:5] == [
        f"{project}_postgres, with DATA_GENERATION= and POSTGRES_VERSION=",
        f"{project}_postgres-18, with DATA_GENERATION= and POSTGRES_VERSION=18",
        f"{project}_postgres-18.1-20261128T101500Z, with DATA_GENERATION=-20261128T101500Z and "
        "POSTGRES_VERSION=18.1",
        f"{project}_postgres-20261128T101500Z, with DATA_GENERATION=-20261128T101500Z and "
        "POSTGRES_VERSION=",
    ]
    start(stack, DATA_GENERATION="-20261128T101500Z", POSTGRES_VERSION="18.1")


def test_with_a_database_elsewhere_nothing_is_asked(stack: Stack) -> None:
    make(stack, "")
    start(stack, BUNDLED_POSTGRES="0", DATA_GENERATION="-mistyped", DATABASE_HOST="db.school.org")


def test_half_of_a_restore_to_a_new_machine_is_no_data_of_the_stack(stack: Stack) -> None:
    make(stack, "-20261128T101500Z")
    with locking.one_at_a_time(HostStack(CHECKOUT, stack.env_file)) as journal:
        journal.note(**{restoring.UNFINISHED: "-20261128T101500Z"})
        start(stack)
        journal.clear()
    with pytest.raises(volumes.NotThere):
        start(stack)
