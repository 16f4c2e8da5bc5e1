"""Fixtures of the tests that run against whole stacks."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from . import leftovers
from .people import Person
from .stacks import PRODUCTION, Stack, running


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_of_dead_runs() -> None:
    leftovers.remove_those_of_dead_runs()


@pytest.fixture(scope="session")
def unharmed_stack() -> Iterator[Stack]:
    """A running stack for tests that only look at it or use it as people do."""
    with running() as stack:
        yield stack


@pytest.fixture(scope="session")
def unharmed_production() -> Iterator[Stack]:
    """The same with compose.prod.yaml, and all that it can have."""
    with running(*PRODUCTION, settings={"COMPOSE_PROFILES": "metrics"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A running stack for the tests of one file, which must leave it well."""
    with running() as stack:
        yield stack


@pytest.fixture
def person(stack: Stack) -> Iterator[Person]:
    someone = Person(stack.url)
    yield someone
    someone.close()


class ByStack(LoadFileScheduling):  # type: ignore[misc]
    """A file goes to one worker, and all that use the unharmed stacks go to the same one: each
    stack takes up to five of the some thirty networks that an engine has."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "unharmed" if _is_unharming(self.config.rootpath / file) else file


@cache
def _is_unharming(file: Path) -> bool:
    return "unharmed_" in file.read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByStack | None:
    return ByStack(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keeps the logs of a failed test's stacks and says where."""
    report = yield
    if report.failed:
        values = getattr(item, "funcargs", {}).values()
        for one in [value for value in values if isinstance(value, Stack)]:
            kept = one.keep_logs(item.name)
            report.sections.append(("stack", f"the logs of all services are in {kept}"))
    return report
