import pytest

from app.breaker import FAILURES, REST_S, Breaker, Resting
from app.openai.patience import Busy, Failed
from tests.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(Failed, clock)


def call(breaker: Breaker, error: BaseException | None = None) -> None:
    with breaker.guarding():
        if error:
            raise error


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Failed):
            call(breaker, Failed("down"))


def test_it_lets_calls_through_until_so_many_failed_in_a_row(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    call(breaker)
    fail(breaker, FAILURES)
    with pytest.raises(Resting) as resting:
        call(breaker)
    assert resting.value.seconds == REST_S


def test_after_a_rest_one_call_is_let_through_and_decides(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    fail(breaker)
    with pytest.raises(Resting):
        call(breaker)
    clock.now += REST_S
    call(breaker)
    fail(breaker, FAILURES - 1)
    call(breaker)


def test_others_fail_while_one_finds_out(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += REST_S
    with breaker.guarding(), pytest.raises(Resting):
        call(breaker)
    call(breaker)


@pytest.mark.parametrize("error", [Busy("slower"), KeyError("a bug"), KeyboardInterrupt()])
def test_what_is_no_failure_says_nothing_of_the_server(
    breaker: Breaker, clock: Clock, error: BaseException
) -> None:
    fail(breaker, FAILURES - 1)
    for _ in range(3):
        with pytest.raises(type(error)):
            call(breaker, error)
    fail(breaker)
    clock.now += REST_S
    # Whoever found out nothing leaves it to the next one.
    with pytest.raises(type(error)):
        call(breaker, error)
    call(breaker)


def test_calls_run_side_by_side(breaker: Breaker) -> None:
    with breaker.guarding(), breaker.guarding():
        call(breaker)
