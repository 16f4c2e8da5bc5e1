"""The chaos tests use whole stacks, as those of tests/stack do."""

from collections.abc import Iterator

import pytest

from tests.stack.conftest import (
    _nothing_left_of_dead_runs as _nothing_left_of_dead_runs,
)
from tests.stack.conftest import (
    person as person,
)
from tests.stack.conftest import (
    pytest_runtest_makereport as pytest_runtest_makereport,
)
from tests.stack.stacks import Stack, running


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A running stack for the tests of one file. Its users are faster than people may be."""
    with running(settings={"RATE_LIMITS": "false"}) as stack:
        yield stack
