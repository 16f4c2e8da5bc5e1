"""What the daily check makes of ages and dates."""

from __future__ import annotations

import time

import pytest
from host import upkeep


@pytest.mark.parametrize(
    ("days", "level"), [(825, "ok"), (22, "ok"), (20, "warning"), (6, "failure"), (-1, "failure")]
)
def test_a_certificate_is_told_of_before_it_runs_out(days: float, level: str) -> None:
    assert upkeep.of_certificate("certificate", days, "renew it").level == level


@pytest.mark.parametrize(
    ("days", "level"), [(0, "ok"), (34, "ok"), (36, "warning"), (121, "failure")]
)
def test_an_old_image_is_told_of_with_what_renews_it(days: float, level: str) -> None:
    found = upkeep.of_image("an-image", days)
    assert found.level == level
    assert found.fix == "run: bash docker/images.sh refresh && make up-prod"


@pytest.mark.parametrize("fraction", ["", ".5", ".123456789"])
def test_the_age_of_an_image_is_read_however_the_engine_writes_it(fraction: str) -> None:
    made = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 3 * 86_400))
    assert round(upkeep.age_days(f"{made}{fraction}Z")) == 3
