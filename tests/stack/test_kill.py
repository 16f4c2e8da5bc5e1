"""kill -9 of any process of the stack: it is well again by itself, and nobody lost anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from docker.models.containers import Container

from .kills import child_of_main_process, init_of, kill, kill_and_wait_for_restart, main_process_of
from .people import Person
from .stacks import SERVICES, Stack


@pytest.mark.parametrize("victim", [init_of, main_process_of])
@pytest.mark.parametrize("service", SERVICES)
def test_after_a_kill_the_stack_is_well_again_by_itself(
    stack: Stack, person: Person, service: str, victim: Callable[[Container], int]
) -> None:
    diagram = person.save()
    kill_and_wait_for_restart(stack, service, victim(stack.container(service)))
    stack.wait_until_well()
    # The session was made before the kill.
    assert person.finds(diagram)
    again = person.save("after")
    assert person.finds(again)


def test_a_killed_worker_takes_jobs_again(stack: Stack) -> None:
    kill_and_wait_for_restart(stack, "worker", main_process_of(stack.container("worker")))
    stack.wait_until_well()
    done = stack.run_in("app", "mindgraph", "doctor")
    assert "did a job" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("service", ["app", "postgres"])
def test_a_killed_child_is_replaced_and_nothing_is_lost(
    stack: Stack, person: Person, service: str
) -> None:
    """One web process, or one process of the database, which then recovers."""
    diagram = person.save()
    container = stack.container(service)
    kill(stack, child_of_main_process(container))
    stack.wait(lambda: stack.readiness().get("ready"), "the app is ready")
    stack.wait_until_well()
    assert person.finds(diagram)
    assert stack.state(service)["StartedAt"] == container.attrs["State"]["StartedAt"]
