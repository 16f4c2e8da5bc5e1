"""Who may ask Qdrant, and who is told at once that it isn't asked."""

from contextlib import ExitStack

import pytest

from app.breaker import FAILURES, TRIAL_S
from app.vectors.client import QdrantUnavailable
from app.vectors.guard import REST_S, Guard, QdrantBusy
from tests.clocks import Clock


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.vectors.guard.WAIT_S", 0.01)


def fail(guard: Guard, times: int) -> None:
    for _ in range(times):
        with pytest.raises(QdrantUnavailable), guard.entered():
            raise QdrantUnavailable


def call(guard: Guard) -> None:
    with guard.entered():
        pass


def test_so_many_are_let_in_as_there_are_places() -> None:
    guard = Guard(2)
    for _ in range(2):
        with guard.entered(), guard.entered(), pytest.raises(QdrantBusy):
            call(guard)
    call(guard)


def test_who_finds_no_place_says_nothing_of_the_server() -> None:
    guard = Guard(1)
    fail(guard, FAILURES - 1)
    with ExitStack() as taken:
        taken.enter_context(guard.entered())
        for _ in range(FAILURES):
            with pytest.raises(QdrantBusy):
                call(guard)
    guard.check()
    call(guard)


def test_while_it_rests_nobody_is_let_in_and_all_are_told_for_how_long() -> None:
    clock = Clock()
    guard = Guard(1, clock)
    fail(guard, FAILURES)
    for ask in (guard.check, lambda: call(guard)):
        with pytest.raises(QdrantUnavailable) as refused:
            ask()
        assert refused.value.retry_after == REST_S
    clock.now += REST_S
    guard.check()
    call(guard)
    fail(guard, FAILURES - 1)
    guard.check()


def test_nobody_waits_for_the_place_of_the_one_that_finds_out_whether_it_is_back() -> None:
    clock = Clock()
    guard = Guard(1, clock)
    fail(guard, FAILURES)
    clock.now += REST_S
    with guard.entered():
        for ask in (guard.check, lambda: call(guard)):
            with pytest.raises(QdrantUnavailable) as refused:
                ask()
            assert refused.value.retry_after == TRIAL_S
    call(guard)
