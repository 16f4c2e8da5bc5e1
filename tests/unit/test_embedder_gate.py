from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app.embedders.errors import ModelBusy
from app.embedders.gate import Gate


def test_whoever_finds_no_place_is_told_at_once_when_to_come_again() -> None:
    gate = Gate(2)
    with gate.entered(), gate.entered(), pytest.raises(ModelBusy) as refused, gate.entered():
        raise AssertionError("there is no third place")
    assert refused.value.status == 503
    assert refused.value.retry_after


def test_a_place_is_free_again_after_use_and_after_an_error() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(KeyError), gate.entered():
            raise KeyError
    with gate.entered(), pytest.raises(ModelBusy), gate.entered():
        raise AssertionError("there is no second place")
    with gate.entered():
        pass


def test_of_many_threads_no_more_than_the_places_are_inside() -> None:
    gate = Gate(3)
    all_asked = Barrier(8)

    def enter(_number: int) -> bool:
        try:
            with gate.entered():
                all_asked.wait()
                return True
        except ModelBusy:
            all_asked.wait()
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(enter, range(8))) == 3
