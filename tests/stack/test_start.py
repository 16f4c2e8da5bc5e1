"""The stack comes up, stays as it is, and keeps its data."""

from __future__ import annotations

from .people import Person
from .stacks import SERVICES, Stack


def test_all_five_services_are_healthy_after_the_start(stack: Stack) -> None:
    assert {service: stack.health(service) for service in SERVICES} == dict.fromkeys(
        SERVICES, "healthy"
    )
    assert stack.readiness()["down"] == []


def test_a_second_up_recreates_nothing(stack: Stack) -> None:
    before = {one.id: one.attrs["State"]["StartedAt"] for one in stack.containers()}
    stack.up()
    assert {one.id: one.attrs["State"]["StartedAt"] for one in stack.containers()} == before


def test_doctor_finds_every_service_well_and_a_job_is_done(stack: Stack) -> None:
    done = stack.run_in("app", "mindgraph", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "did a job" in done.stdout


def test_down_and_up_keeps_the_diagram_and_the_session(stack: Stack, person: Person) -> None:
    diagram = person.save()
    stack.down()
    assert stack.containers() == []
    stack.up()
    assert person.finds(diagram)


def test_plain_up_starts_the_stack_from_the_images_that_are_there(
    stack: Stack, person: Person
) -> None:
    diagram = person.save()
    stack.down()
    stack.compose("up", "--detach")
    stack.wait_until_well()
    assert person.finds(diagram)
