"""A stop ends every service by itself, and nobody waits in vain for an answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from .people import Person
from .stacks import SERVICES, Stack

LOCK = "BEGIN; LOCK TABLE diagrams IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60); COMMIT"


def exit_codes(stack: Stack) -> dict[str, int]:
    return {service: stack.state(service)["ExitCode"] for service in SERVICES}


def backends(stack: Stack, condition: str) -> list[str]:
    """The process ids of the sessions in the database for which the condition is true."""
    return stack.sql("postgres", f"SELECT pid FROM pg_stat_activity WHERE {condition}").split()


def test_a_stop_ends_every_service_without_a_kill(stack: Stack, person: Person) -> None:
    person.save()
    # Far below the grace that compose.yaml gives.
    stack.compose("stop", "--timeout", "15")
    assert exit_codes(stack) == dict.fromkeys(SERVICES, 0)
    assert "database system is shut down" in stack.logs("postgres")
    stack.up()


def test_a_request_under_way_is_answered_before_the_stop(stack: Stack, person: Person) -> None:
    """It hangs on a lock in the database until the stop has begun."""
    before = stack.logs("app")
    with ThreadPoolExecutor() as threads:
        locker = threads.submit(stack.psql, "mindgraph_owner", LOCK)
        stack.wait(lambda: backends(stack, "wait_event = 'PgSleep'"), "the table is locked")
        request = threads.submit(person.save, "saved during the stop")
        stack.wait(lambda: backends(stack, "wait_event_type = 'Lock'"), "the request hangs")
        stop = threads.submit(stack.compose, "stop", "app")
        stack.wait(
            lambda: "Handling signal: term" in stack.logs("app").removeprefix(before),
            "the app has begun to stop",
        )
        assert not request.done()
        (holder,) = backends(stack, "wait_event = 'PgSleep'")
        stack.sql("postgres", f"SELECT pg_terminate_backend({holder})")
        diagram = request.result()
        stop.result()
        locker.result()
    assert exit_codes(stack)["app"] == 0
    stack.up()
    assert person.finds(diagram)


def test_a_worker_stops_while_redis_is_gone(stack: Stack) -> None:
    stack.compose("stop", "redis")
    stack.compose("stop", "--timeout", "15", "worker")
    assert exit_codes(stack)["worker"] == 0
    stack.up()
