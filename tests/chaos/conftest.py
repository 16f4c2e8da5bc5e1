"""The chaos tests use whole stacks, as those of tests/stack do."""

from tests.stack.conftest import (
    _nothing_left_of_dead_runs as _nothing_left_of_dead_runs,
)
from tests.stack.conftest import (
    person as person,
)
from tests.stack.conftest import (
    pytest_runtest_makereport as pytest_runtest_makereport,
)
from tests.stack.conftest import (
    stack as stack,
)
