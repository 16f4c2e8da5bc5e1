"""A first start that is killed half-way: the next starts over, and never takes data for it."""

from __future__ import annotations

import pytest

from .kills import init_of, kill_and_wait_for_restart
from .stacks import Stack

DATA = "/var/lib/postgresql/data/pgdata"
SOCKET = "psql --no-psqlrc --username postgres --command 'SELECT 1'"
# What is there when the kill comes, from the first file to the private server.
STAGES = {
    "before initdb wrote anything": f"test -e {DATA}.unfinished",
    "while initdb works": f"test -e {DATA}/PG_VERSION",
    "while the private server runs": SOCKET,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_first_start_that_was_killed_starts_over(stage: str) -> None:
    with Stack() as stack:
        stack.compose("up", "--detach", "--no-build", "--pull", "never", "postgres")

        def reached() -> bool:
            return stack.run_in("postgres", "bash", "-c", STAGES[stage]).returncode == 0

        stack.wait(reached, f"the first start is {stage}")
        kill_and_wait_for_restart(stack, "postgres", init_of(stack.container("postgres")))
        stack.wait(lambda: stack.health("postgres") == "healthy", "postgres is healthy")
        assert stack.sql("mindgraph_user", "SELECT current_user") == "mindgraph_user"
        assert stack.run_in("postgres", "test", "-e", f"{DATA}.unfinished").returncode != 0


def test_data_without_a_version_is_not_wiped(stack: Stack) -> None:
    """A folder that lost a file is damaged, not new."""
    script = f"""
        export PGDATA=/tmp/damaged/pgdata
        mkdir -p $PGDATA && echo precious >$PGDATA/base
        timeout 20 mindgraph-postgres postgres
        timeout 20 mindgraph-postgres postgres
        cat $PGDATA/base; test -s {DATA}/PG_VERSION"""
    done = stack.run_in("postgres", "bash", "-c", script)
    assert done.stdout.endswith("precious\n"), done
    assert done.returncode == 0
