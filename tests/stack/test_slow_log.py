"""Slow statements in production: where they are logged, and without what."""

from __future__ import annotations

import json

import pytest

from .stacks import Stack

SECRET = "correct-horse-battery"
SLOW = f"SELECT pg_sleep(0.7), '{SECRET}-%s'"


@pytest.fixture(scope="module")
def stack(unharmed_production: Stack) -> Stack:
    return unharmed_production


def test_a_slow_statement_of_a_person_is_in_the_server_s_log(stack: Stack) -> None:
    stack.sql("mindgraph_readonly", "SELECT pg_sleep(0.7) AS of_a_person")
    stack.wait(lambda: "AS of_a_person" in stack.logs("postgres"), "it is logged")


@pytest.mark.parametrize("role", ["mindgraph_user", "mindgraph_owner"])
def test_one_of_the_service_is_not_as_it_holds_values(stack: Stack, role: str) -> None:
    stack.sql(role, SLOW % role)
    # What comes after it is there, so that it would be as well.
    stack.sql("mindgraph_readonly", f"SELECT pg_sleep(0.7) AS after_{role}")
    stack.wait(lambda: f"AS after_{role}" in stack.logs("postgres"), "the next one is logged")
    assert SECRET not in stack.logs("postgres")


def test_the_command_shows_it_without_its_values(stack: Stack) -> None:
    stack.sql("mindgraph_user", SLOW % "command")
    done = stack.run_in("app", "mindgraph", "statements", "--top", "1000", "--json")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout
    found = json.loads(done.stdout)
    assert [one for one in found if one["statement"] == "SELECT pg_sleep($1), $2"]
